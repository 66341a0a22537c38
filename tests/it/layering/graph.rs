//! Which file of a package names which, by where each name is defined.
//!
//! Not seen: names that a macro writes where it is called, and `super` inside of an inline module,
//! which is resolved from the file. The sources use neither.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit::Visit;
use syn::{ImplItem, Item, ItemExternCrate, ItemImpl, ItemUse, Type, UseTree, Visibility};

/// The files of a package and, for each, those that define what it names.
///
/// A file is its place: its path below `src` without `.rs`. What the `pub use` of a parent module
/// passes on counts for the file that defines it, and for the parent only where its own code names it
/// too. A type's home names a file that implements methods for it and whose methods it calls.
pub(crate) struct Graph {
    files: BTreeMap<String, File>,
    /// What is wrong with the sources themselves.
    faults: Vec<String>,
}

/// What a file defines, imports and says.
#[derive(Default)]
struct File {
    scope: BTreeMap<String, Meaning>,
    /// Paths that its code names, `use` included.
    paths: BTreeSet<Vec<String>>,
    /// The first names of all `use`, which may be crates.
    crates: BTreeSet<String>,
    /// Methods that it implements, by the path of the type.
    methods: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// What it calls on `self` or `Self`.
    own_calls: BTreeSet<String>,
}

/// What a name stands for in a file.
#[derive(Clone, Debug)]
enum Meaning {
    /// Defined in this file.
    Item,
    /// Another file of the package.
    Module(String),
    /// What a path leads to.
    Import(Vec<String>),
}

impl Graph {
    /// Reads all files below a folder, tests and `bin` excepted.
    pub(crate) fn of(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.extend((path != src.join("bin")).then_some(path));
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let place = path.strip_prefix(src).unwrap().with_extension("");
                    let place = place.to_str().unwrap().replace('\\', "/");
                    texts.insert(place, fs::read_to_string(&path).unwrap());
                }
            }
        }
        Self::of_texts(texts.iter().map(|(place, text)| (&**place, &**text)))
    }

    /// Reads files that are at hand, each with its place.
    pub(crate) fn of_texts<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let texts: BTreeMap<&str, &str> = files.into_iter().collect();
        let mut graph = Self { files: BTreeMap::new(), faults: Vec::new() };
        let (mut of_tests, mut globs) = (Vec::new(), Vec::new());
        for (place, text) in &texts {
            let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
            let mut file = File::default();
            for item in parsed.items {
                if is_for_tests(&item) {
                    of_tests.extend(declared(place, &item));
                    continue;
                }
                let mut uses = Uses::default();
                uses.visit_item(&item);
                let own = |path: &&Vec<String>| ["crate", "self", "super"].contains(&&*path[0]);
                globs.extend(uses.globs.iter().filter(own).map(|path| (*place, path.join("::"))));
                file.read(place, item, uses, &|place| texts.contains_key(place));
            }
            graph.files.insert((*place).to_owned(), file);
        }
        let modules = graph.files.values().flat_map(|file| file.scope.values());
        let declared: BTreeSet<String> = modules
            .filter_map(|meaning| match meaning {
                Meaning::Module(place) => Some(place.clone()),
                Meaning::Item | Meaning::Import(_) => None,
            })
            .collect();
        let is_for_tests = |place: &str| {
            let below = |root: &String| place == root || place.starts_with(&format!("{root}/"));
            of_tests.iter().any(below)
        };
        let globs = globs.into_iter().filter(|(place, _)| !is_for_tests(place));
        let faults = &mut graph.faults;
        faults.extend(globs.map(|(place, path)| format!("{place}: `use {path}::*` hides names")));
        graph.files.retain(|place, _| {
            let is_known = declared.contains(place) || ["lib", "main"].contains(&&**place);
            if !is_known && !is_for_tests(place) {
                faults.push(format!("{place}: no module declares this file"));
            }
            is_known
        });
        graph
    }

    /// Returns what is wrong with the sources: undeclared files, and imports that hide names.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Returns each file with those that define what it names, itself excepted.
    pub(crate) fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (place, file) in &self.files {
            let named = file.paths.iter().filter_map(|path| self.definer(place, path, 0));
            edges.entry(place).or_default().extend(named.filter(|named| named != place));
            for (of, methods) in &file.methods {
                let Some(home) = self.definer(place, of, 0).filter(|home| home != place) else {
                    continue;
                };
                let called = &self.files[home].own_calls;
                if methods.iter().any(|method| called.contains(method)) {
                    edges.entry(home).or_default().insert(place);
                }
            }
        }
        edges
    }

    /// Returns each file that names another crate.
    pub(crate) fn users_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let names = move |file: &File| {
            let in_code = file.paths.iter().any(|path| path.len() > 1 && path[0] == name);
            let is_own = matches!(file.scope.get(name), Some(Meaning::Module(_) | Meaning::Item));
            file.crates.contains(name) || (in_code && !is_own && !self.imports(file, name))
        };
        self.files.iter().filter(move |(_, file)| names(file)).map(|(place, _)| &**place)
    }

    /// Returns whether a name that a file imports is one of this package's.
    fn imports(&self, file: &File, name: &str) -> bool {
        let Some(Meaning::Import(path)) = file.scope.get(name) else { return false };
        ["crate", "self", "super"].contains(&&*path[0])
    }

    /// Returns the groups of files that name each other, directly or by way of others.
    pub(crate) fn circles(&self) -> Vec<Vec<&str>> {
        let edges = self.edges();
        let reach: BTreeMap<&str, BTreeSet<&str>> = edges
            .keys()
            .map(|start| {
                let (mut seen, mut next) = (BTreeSet::new(), vec![*start]);
                while let Some(place) = next.pop() {
                    next.extend(edges[place].iter().filter(|to| seen.insert(**to)));
                }
                (*start, seen)
            })
            .collect();
        let mut circles: Vec<Vec<&str>> = edges
            .keys()
            .map(|one| {
                let others = edges
                    .keys()
                    .filter(|other| reach[one].contains(*other) && reach[*other].contains(one));
                others.copied().collect()
            })
            .filter(|circle: &Vec<&str>| !circle.is_empty())
            .collect();
        circles.sort();
        circles.dedup();
        circles
    }

    /// Returns the file that defines what a path leads to, seen from a file.
    fn definer(&self, from: &str, path: &[String], depth: usize) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let place = match &**first {
            "crate" => self.root(),
            "self" => self.files.get_key_value(from)?.0.as_str(),
            "super" => self.parent(from)?,
            _ => return self.meaning(from, path, depth),
        };
        self.definer_within(place, rest, depth)
    }

    fn definer_within(&self, place: &str, path: &[String], depth: usize) -> Option<&str> {
        match path.first().map(String::as_str) {
            None => None,
            Some("super") => self.definer_within(self.parent(place)?, &path[1..], depth),
            Some("self") => self.definer_within(place, &path[1..], depth),
            Some(_) => self.meaning(place, path, depth),
        }
    }

    fn meaning(&self, place: &str, path: &[String], depth: usize) -> Option<&str> {
        let (place, file) = self.files.get_key_value(place)?;
        let (first, rest) = path.split_first()?;
        match file.scope.get(first)? {
            Meaning::Item => Some(place),
            Meaning::Module(module) => self.definer_within(module, rest, depth),
            Meaning::Import(import) if depth < 16 => {
                let whole: Vec<String> = import.iter().chain(rest).cloned().collect();
                if whole == path { None } else { self.definer(place, &whole, depth + 1) }
            }
            Meaning::Import(_) => None,
        }
    }

    fn root(&self) -> &str {
        if self.files.contains_key("lib") { "lib" } else { "main" }
    }

    fn parent(&self, place: &str) -> Option<&str> {
        let module = place.strip_suffix("/mod").unwrap_or(place);
        match module.rsplit_once('/') {
            None => Some(self.root()),
            Some((parent, _)) => {
                let folder = format!("{parent}/mod");
                let found = self.files.get_key_value(&folder).or(self.files.get_key_value(parent));
                found.map(|(place, _)| &**place)
            }
        }
    }
}

impl File {
    fn read(&mut self, place: &str, item: Item, uses: Uses, exists: &dyn Fn(&str) -> bool) {
        self.crates.extend(uses.crates);
        match item {
            Item::Mod(module) if module.content.is_none() => {
                let own = child(place, &module.ident.to_string());
                let own = if exists(&own) { own } else { format!("{own}/mod") };
                self.scope.insert(module.ident.to_string(), Meaning::Module(own));
            }
            Item::Use(import) => {
                // A parent module passes its children's names on; anybody else who does names them.
                let is_parent = ["lib", "main"].contains(&place) || place.ends_with("/mod");
                let passes_on = is_parent && !matches!(import.vis, Visibility::Inherited);
                for (name, path) in uses.imports {
                    if !passes_on {
                        self.paths.insert(path.clone());
                    }
                    self.scope.entry(name).or_insert(Meaning::Import(path));
                }
            }
            item => {
                if let Some(name) = name_of(&item) {
                    self.scope.insert(name, Meaning::Item);
                }
                if let Item::Impl(block) = &item {
                    self.read_impl(block);
                }
                self.paths.extend(uses.imports.into_iter().map(|(_, path)| path));
                paths_in(item.to_token_stream(), &mut self.paths);
                calls_in(item.into_token_stream(), &mut self.own_calls);
            }
        }
    }

    fn read_impl(&mut self, block: &ItemImpl) {
        let (None, Type::Path(of)) = (&block.trait_, &*block.self_ty) else { return };
        let of = of.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        let methods = block.items.iter().filter_map(|item| match item {
            ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
            _ => None,
        });
        self.methods.entry(of).or_default().extend(methods);
    }
}

/// The `use` of an item, at whatever depth.
#[derive(Default)]
struct Uses {
    /// Names that are brought in, each with the path that it stands for.
    imports: Vec<(String, Vec<String>)>,
    globs: Vec<Vec<String>>,
    crates: Vec<String>,
}

impl<'a> Visit<'a> for Uses {
    fn visit_item_use(&mut self, import: &'a ItemUse) {
        let mut imports = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut imports, &mut self.globs);
        let own = ["crate", "self", "super"];
        let firsts =
            imports.iter().map(|(_, path)| &path[0]).chain(self.globs.iter().map(|g| &g[0]));
        self.crates.extend(firsts.filter(|first| !own.contains(&&***first)).cloned());
        if import.leading_colon.is_none() {
            self.imports.extend(imports);
        }
    }

    fn visit_item_extern_crate(&mut self, item: &'a ItemExternCrate) {
        self.crates.push(item.ident.to_string());
    }
}

/// Returns the place of a module's file or folder.
fn child(place: &str, name: &str) -> String {
    match place {
        "lib" | "main" => name.to_owned(),
        _ => format!("{}/{name}", place.strip_suffix("/mod").unwrap_or(place)),
    }
}

/// Returns the place of the module that an item declares, if it declares one.
fn declared(place: &str, item: &Item) -> Option<String> {
    match item {
        Item::Mod(module) if module.content.is_none() => {
            Some(child(place, &module.ident.to_string()))
        }
        _ => None,
    }
}

/// Returns whether an item is compiled for tests alone.
fn is_for_tests(item: &Item) -> bool {
    let text = item.to_token_stream().to_string().replace(' ', "");
    text.starts_with("#[cfg(test)]") || text.starts_with("#[cfg(all(doctest")
}

fn name_of(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Mod(item) => item.ident.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

/// Lists what a `use` brings in: each name, and the path that it stands for.
fn flatten(
    tree: &UseTree,
    before: &mut Vec<String>,
    found: &mut Vec<(String, Vec<String>)>,
    globs: &mut Vec<Vec<String>>,
) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found, globs);
            before.pop();
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            let mut path = before.clone();
            if name == "self" {
                found.push((path.last().cloned().unwrap_or_default(), path));
            } else {
                path.push(name.clone());
                found.push((name, path));
            }
        }
        UseTree::Rename(rename) => {
            let mut path = before.clone();
            path.push(rename.ident.to_string());
            found.push((rename.rename.to_string(), path));
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, found, globs);
            }
        }
        UseTree::Glob(_) => globs.push(before.clone()),
    }
}

/// Collects every `a::b::c` and every single name in tokens, those inside macros included.
fn paths_in(tokens: TokenStream, found: &mut BTreeSet<Vec<String>>) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    found.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                    path.clear();
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Punct(punct) if punct.as_char() == '$' => {}
            TokenTree::Group(group) => {
                found.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                colons = 0;
                paths_in(group.stream(), found);
            }
            _ => {
                found.extend((!path.is_empty()).then(|| std::mem::take(&mut path)));
                colons = 0;
            }
        }
    }
    found.extend((!path.is_empty()).then_some(path));
}

/// Collects what is called as `self.name` or `Self::name`.
fn calls_in(tokens: TokenStream, found: &mut BTreeSet<String>) {
    let mut before = String::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if before == "self." || before == "Self::" {
                    found.insert(ident.to_string());
                }
                before = ident.to_string();
            }
            TokenTree::Punct(punct) => before.push(punct.as_char()),
            TokenTree::Group(group) => {
                calls_in(group.stream(), found);
                before.clear();
            }
            TokenTree::Literal(_) => before.clear(),
        }
    }
}
