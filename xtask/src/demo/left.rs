//! What a demo must not leave behind, looked for in the kernel's own lists.

use std::fs;
use std::path::Path;

/// Returns whatever of a demo is still there: of its folder, and of the hosts' network.
pub(super) fn left(dir: &Path, address: &str) -> Vec<String> {
    let mut left = Vec::new();
    if dir.exists() {
        left.push(format!("the folder {}", dir.display()));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_dir = |text: &[u8]| {
        text.windows(dir.as_os_str().len()).any(|part| part == dir.as_os_str().as_encoded_bytes())
    };
    left.extend(
        mounts.lines().filter(|line| of_dir(line.as_bytes())).map(|line| format!("the mount {line}")),
    );
    for entry in names("/proc").filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) {
        let process = Path::new("/proc").join(&entry);
        let tells = ["cmdline", "environ", "mountinfo"];
        if tells.iter().any(|tell| fs::read(process.join(tell)).is_ok_and(|text| of_dir(&text))) {
            let command = fs::read_to_string(process.join("comm")).unwrap_or_default();
            left.push(format!("process {entry}, {}", command.trim()));
        }
    }
    let network = address.split('.').nth(2).unwrap_or_default();
    let of_network =
        |name: &String| *name == format!("slr{network}") || name.starts_with(&format!("slr{network}-"));
    left.extend(names("/run/netns").filter(of_network).map(|name| format!("the network namespace {name}")));
    left.extend(names("/sys/class/net").filter(of_network).map(|name| format!("the link {name}")));
    left
}

fn names(dir: &str) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}
