//! Which file of a package names which, by where each name is defined.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{Item, UseTree, Visibility};

/// The files of a package and, for each, those that define what it names.
///
/// A file is its place: its path below `src` without `.rs`. What `pub use` passes on counts for the
/// file that defines it, and for the one that passes it on only where its own code names it too.
pub(crate) struct Graph {
    files: BTreeMap<String, File>,
}

/// What a file defines, imports and says.
#[derive(Default)]
struct File {
    scope: BTreeMap<String, Meaning>,
    /// Paths that its code names, `use` included.
    paths: BTreeSet<Vec<String>>,
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
    /// Reads all files below a folder `src`, tests excepted.
    pub(crate) fn of(src: &Path) -> Self {
        let mut texts = BTreeMap::new();
        let mut folders = vec![src.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
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
        let mut graph = Self { files: BTreeMap::new() };
        for (place, text) in &texts {
            let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{place}: {error}"));
            let mut file = File::default();
            for item in parsed.items {
                file.read(place, item, &|place| texts.contains_key(place));
            }
            graph.files.insert((*place).to_owned(), file);
        }
        // Files of tests alone are declared by no module that was read.
        let declared: BTreeSet<String> = graph
            .files
            .values()
            .flat_map(|file| file.scope.values())
            .filter_map(|meaning| match meaning {
                Meaning::Module(place) => Some(place.clone()),
                _ => None,
            })
            .collect();
        graph
            .files
            .retain(|place, _| declared.contains(place) || ["lib", "main"].contains(&&**place));
        graph
    }

    /// Returns each file with those that define what it names, itself excepted.
    pub(crate) fn edges(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let edges = self.files.iter().map(|(place, file)| {
            let named = file.paths.iter().filter_map(|path| self.definer(place, path, 0));
            (&**place, named.filter(|named| named != place).collect())
        });
        edges.collect()
    }

    /// Returns each file that names another crate by `name::…`.
    pub(crate) fn users_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let names = move |file: &File| {
            let is_own = file.scope.contains_key(name);
            !is_own && file.paths.iter().any(|path| path.len() > 1 && path[0] == name)
        };
        self.files.iter().filter(move |(_, file)| names(file)).map(|(place, _)| &**place)
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
        let (place, rest) = match &**first {
            "crate" => (self.root(), rest),
            "self" => (self.files.get_key_value(from)?.0.as_str(), rest),
            "super" => (self.parent(from)?, rest),
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
    fn read(&mut self, place: &str, item: Item, exists: &dyn Fn(&str) -> bool) {
        if is_for_tests(&item) {
            return;
        }
        match item {
            Item::Mod(module) if module.content.is_none() => {
                let folder = match place {
                    "lib" | "main" => String::new(),
                    _ => format!("{}/", place.strip_suffix("/mod").unwrap_or(place)),
                };
                let name = module.ident.to_string();
                let own = format!("{folder}{name}");
                let own = if exists(&own) { own } else { format!("{own}/mod") };
                self.scope.insert(name, Meaning::Module(own));
            }
            Item::Use(import) if import.leading_colon.is_some() => {}
            Item::Use(import) => {
                let mut imports = Vec::new();
                flatten(&import.tree, &mut Vec::new(), &mut imports);
                for (name, path) in imports {
                    if matches!(import.vis, Visibility::Inherited) {
                        self.paths.insert(path.clone());
                    }
                    self.scope.entry(name).or_insert(Meaning::Import(path));
                }
            }
            item => {
                if let Some(name) = name_of(&item) {
                    self.scope.insert(name, Meaning::Item);
                }
                paths_in(item.into_token_stream(), &mut self.paths);
            }
        }
    }
}

/// Returns whether an item is compiled for the file's own tests alone.
fn is_for_tests(item: &Item) -> bool {
    let text = item.to_token_stream().to_string();
    text.replace(' ', "").starts_with("#[cfg(test)]")
        || text.replace(' ', "").starts_with("#[cfg(all(doctest")
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
fn flatten(tree: &UseTree, before: &mut Vec<String>, found: &mut Vec<(String, Vec<String>)>) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, found);
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
                flatten(tree, before, found);
            }
        }
        UseTree::Glob(_) => {}
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
