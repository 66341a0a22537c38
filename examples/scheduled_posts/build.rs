//! Takes the viewer of the API's description out of the archive that its crate has.

use std::error::Error;
use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for wanted in FILES {
        // Below a folder that is named after the version.
        let is_wanted = |name: &str| name.split_once('/').is_some_and(|(_, at)| at == wanted);
        let names = archive.file_names().filter_map(Result::ok);
        let found = names.map(|name| name.into_owned()).find(|name| is_wanted(name));
        let found = found.ok_or_else(|| format!("the archive of Swagger UI has no {wanted}"))?;
        let mut contents = Vec::new();
        archive.by_name(&found)?.read_to_end(&mut contents)?;
        let name = wanted.rsplit('/').next().unwrap_or(wanted);
        std::fs::write(folder.join(name), contents)?;
    }
    Ok(())
}

/// The files that the page loads, and their licence.
const FILES: [&str; 3] = ["dist/swagger-ui-bundle.js", "dist/swagger-ui.css", "LICENSE"];
