//! Files that were named on the command line.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sealer_stdx::fs::At;

use crate::failure::{Failure, Kind, nearest};

/// Reads a file of text that an argument names; `argument` is how it is written: `--plan`.
pub(crate) fn text(argument: &str, file: &Path) -> Result<String, Failure> {
    fs::read_to_string(there(argument, file)?).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => {
            Failure::new(Kind::Usage, format!("{argument}: `{}` is no text", file.display()))
        }
        _ => Err::<(), _>(error).at(file).expect_err("it is an error").into(),
    })
}

/// Refuses a file that is not there, with the one that may have been meant.
pub(crate) fn there<'a>(argument: &str, file: &'a Path) -> Result<&'a Path, Failure> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => Err(Failure::new(
            Kind::Usage,
            format!("{argument}: `{}` is a folder, not a file", file.display()),
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(missing(argument, file)),
        _ => Ok(file),
    }
}

/// There is nothing at a path that an argument names.
pub(crate) fn missing(argument: &str, file: &Path) -> Failure {
    let failure = Failure::new(Kind::Usage, format!("{argument}: there is no file `{}`", file.display()));
    failure.hint(alike(file).unwrap_or_else(|| "name one that is there".to_owned()))
}

/// What may have been meant by the path of nothing.
pub(crate) fn alike(file: &Path) -> Option<String> {
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if !folder.is_dir() {
        return Some(format!("there is no folder `{}` either", folder.display()));
    }
    let mut names: Vec<String> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let meant = nearest(file.file_name()?.to_str()?, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", file.with_file_name(meant).display()))
}
