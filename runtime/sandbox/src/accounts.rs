//! The accounts of hosts: this machine's, with a password for `root` and for `ops`.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::tools;

/// Who may use sudo.
pub(crate) const OPERATOR: &str = "ops";

/// Files of `/etc`, as each host has them, and the user that a home is made for.
#[derive(Debug)]
pub(crate) struct Accounts {
    pub(crate) passwd: String,
    pub(crate) group: String,
    pub(crate) shadow: String,
    pub(crate) operator: u32,
}

impl Accounts {
    /// Reads this machine's accounts and sets the two passwords. `dir` is written to for a moment.
    pub(crate) fn with_password(password: &str, dir: &Path) -> Result<Self> {
        let read =
            |path: &str| fs::read_to_string(path).map_err(|source| Error::file(Path::new(path), source));
        let (passwd, group, shadow) = (read("/etc/passwd")?, read("/etc/group")?, read("/etc/shadow")?);
        Ok(Self::from(&passwd, &group, &shadow, &hash(password, dir)?))
    }

    fn from(passwd: &str, group: &str, shadow: &str, hash: &str) -> Self {
        let there = ids(passwd, OPERATOR);
        let taken =
            |id: u32| [passwd, group].iter().any(|file| file.lines().any(|line| number(line) == Some(id)));
        let operator = there.or_else(|| (1000..60000).find(|id| !taken(*id))).unwrap_or(60000);
        let (mut passwd, mut group) = (passwd.to_owned(), group.to_owned());
        if there.is_none() {
            passwd += &format!("{OPERATOR}:x:{operator}:{operator}::/home/{OPERATOR}:/bin/bash\n");
            group = without(&group, OPERATOR) + &format!("{OPERATOR}:x:{operator}:\n");
        }
        let mut shadow = without(&without(shadow, "root"), OPERATOR);
        for user in ["root", OPERATOR] {
            shadow += &format!("{user}:{hash}::0:99999:7:::\n");
        }
        Self { passwd, group, shadow, operator }
    }
}

/// The lines of other names.
fn without(file: &str, name: &str) -> String {
    let others = file.lines().filter(|line| line.split(':').next() != Some(name));
    others.map(|line| format!("{line}\n")).collect()
}

fn ids(file: &str, name: &str) -> Option<u32> {
    file.lines().find(|line| line.split(':').next() == Some(name)).and_then(number)
}

fn number(line: &str) -> Option<u32> {
    line.split(':').nth(2)?.parse().ok()
}

/// Hashes a password as this machine does, in a root with one account.
fn hash(password: &str, dir: &Path) -> Result<String> {
    let root = tempfile::tempdir_in(dir).map_err(|source| Error::file(dir, source))?;
    let etc = root.path().join("etc");
    let shadow = etc.join("shadow");
    fs::create_dir(&etc).map_err(|source| Error::file(&etc, source))?;
    fs::write(etc.join("passwd"), "root:x:0:0::/:/bin/sh\n").map_err(|source| Error::file(&etc, source))?;
    fs::write(&shadow, "root:*::0:99999:7:::\n").map_err(|source| Error::file(&shadow, source))?;
    let folder = root.path().to_string_lossy();
    tools::run_with("chpasswd", &["-c", "SHA512", "-R", &folder], &format!("root:{password}\n"))?;
    let lines = fs::read_to_string(&shadow).map_err(|source| Error::file(&shadow, source))?;
    let hash = lines.split(':').nth(1).filter(|hash| hash.starts_with('$'));
    hash.map(str::to_owned).ok_or_else(|| Error::Command {
        command: "chpasswd".to_owned(),
        message: "it set no password".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::Accounts;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nme:x:1000:\nteam:x:1001:me\n";
    const SHADOW: &str = "root:!:19000:0:99999:7:::\nme:$6$x:19000:0:99999:7:::\n";

    #[test]
    fn adds_an_operator_with_a_free_number_and_sets_both_passwords() {
        let accounts = Accounts::from(PASSWD, GROUP, SHADOW, "$6$new");
        assert_eq!(accounts.operator, 1002);
        assert_eq!(accounts.passwd, format!("{PASSWD}ops:x:1002:1002::/home/ops:/bin/bash\n"));
        assert_eq!(accounts.group, format!("{GROUP}ops:x:1002:\n"));
        let shadow = "me:$6$x:19000:0:99999:7:::\nroot:$6$new::0:99999:7:::\nops:$6$new::0:99999:7:::\n";
        assert_eq!(accounts.shadow, shadow);
    }

    #[test]
    fn keeps_an_operator_that_is_there() {
        let passwd = format!("{PASSWD}ops:x:1500:100::/home/ops:/bin/zsh\n");
        let accounts = Accounts::from(&passwd, GROUP, SHADOW, "$6$new");
        assert_eq!((accounts.operator, accounts.passwd, accounts.group), (1500, passwd, GROUP.to_owned()));
    }
}
