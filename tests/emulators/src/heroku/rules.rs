//! What Heroku demands of sources and sizes.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::answer::{Refused, refused};
use super::world::App;

/// A digest as text.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Eco and basic dynos are alone in their app; private ones are in a space.
pub fn check_size(app: &App, process_type: &str, size: &str, quantity: u32) -> Result<(), Refused> {
    let lonely = |size: &str| matches!(size, "eco" | "basic");
    if lonely(size) && quantity > 1 {
        return Err(refused(
            422,
            "invalid_params",
            "Cannot scale to more than 1 dyno per process type",
        ));
    }
    let mixed = app.formation.iter().any(|(other, (quantity, other_size))| {
        other != process_type && *quantity > 0 && (lonely(size) || lonely(other_size))
    });
    if mixed && quantity > 0 {
        return Err(refused(422, "invalid_params", "Cannot mix dyno types"));
    }
    let private = size.starts_with("private-") || size.starts_with("shield-");
    if private == app.space.is_none() {
        return Err(refused(422, "invalid_params", "That size is not available to the app"));
    }
    Ok(())
}

/// The process types of a source.
pub fn procfile(archive: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(GzDecoder::new(archive));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path().unwrap().to_str() == Some("Procfile") {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            return text
                .lines()
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, command)| (name.to_owned(), command.to_owned()))
                .collect();
        }
    }
    panic!("the source has no Procfile")
}
