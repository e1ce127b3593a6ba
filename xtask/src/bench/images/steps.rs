//! What is measured: each step, by each tool that can do it, as one types it.

/// Whose way it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    Sealer,
    Peer,
}

/// What a step may cost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Goal {
    /// So many times the processor time of a peer; where none is named, of the best.
    Cpu(f64, Option<&'static str>),
    /// So many seconds of processor.
    CpuSeconds(f64),
    /// So many seconds from beginning to end.
    Wall(f64),
    /// So many bytes over the wire, one way.
    Sent(u64),
}

/// One tool's way to do a step.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) tool: Tool,
    pub(super) name: &'static str,
    /// Done before, unmeasured.
    pub(super) prepare: &'static str,
    pub(super) run: &'static str,
    /// Whose size is told: a folder of the box.
    pub(super) disk: &'static str,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) name: &'static str,
    /// Whether later steps need what it makes.
    pub(super) needed: bool,
    /// What sealer's first way is to keep to.
    pub(super) goals: &'static [Goal],
    pub(super) ways: &'static [Way],
}

impl Step {
    /// What it works on, as its name says: `W2`.
    pub(super) fn workload(&self) -> &'static str {
        let word = self.name.split_once('W').map_or("", |(before, _)| &self.name[before.len()..]);
        word.get(..2).unwrap_or(word)
    }
}

/// What the scripts have in common.
pub(super) const FUNCTIONS: &str = r#"
s() { store=$1; shift; SEALER_ROOT=box/$store sealer --quiet "$@"; }
b() { store=$1; shift; buildah --root "$PWD/box/$store" --runroot "$PWD/box/$store-run" --storage-driver overlay "$@"; }
# Moved away, not removed: for a minute after many files went, ext4 makes new ones slowly.
away() { if test -e "$1"; then mkdir -p trash; mv "$1" "$(mktemp -d -p trash)"; fi; }
anew() { for store; do umount "box/$store/overlay" 2> /dev/null || true; away "box/$store"; away "box/$store-run"; done; }
emptied() { away "$STORAGE/docker"; }
u() {
  umoci init --layout box/umoci && umoci new --image box/umoci:v1 || return 1
  for part; do umoci insert --rootless --image box/umoci:v1 "$part" "/${part#*/}" || return 1; done
}
"#;

const fn way(
    tool: Tool,
    name: &'static str,
    prepare: &'static str,
    run: &'static str,
    disk: &'static str,
) -> Way {
    Way { tool, name, prepare, run, disk }
}

use Tool::{Peer, Sealer};

/// In the order in which they build on each other.
pub(super) const STEPS: &[Step] = &[
    Step {
        name: "build W2 cold",
        needed: true,
        goals: &[Goal::Cpu(0.5, Some("umoci insert"))],
        ways: &[
            way(Sealer, "sealer build", "anew sealer", "s sealer build -t $REG/w2:v1 w2", "sealer"),
            way(
                Sealer,
                "sealer build --compression gzip",
                "anew gzip",
                "s gzip build --compression gzip -t $REG/w2:v1 w2",
                "gzip",
            ),
            way(
                Peer,
                "umoci insert",
                "anew umoci",
                "u w2/programs w2/libraries w2/python w2/texts w2/small.conf",
                "umoci",
            ),
            way(
                Peer,
                "buildah build",
                "anew buildah",
                "b buildah build -q --isolation chroot --layers -t $REG/b2:v1 -f w2/Dockerfile w2",
                "buildah",
            ),
        ],
    },
    Step {
        name: "rebuild W2, nothing changed",
        needed: false,
        goals: &[Goal::CpuSeconds(1.0), Goal::Cpu(0.03, Some("buildah build"))],
        ways: &[
            way(
                Sealer,
                "sealer build",
                "s sealer build -t $REG/w2:v1 w2",
                "s sealer build -t $REG/w2:v1 w2",
                "",
            ),
            way(
                Peer,
                "buildah build",
                "b buildah build -q --isolation chroot --layers -t $REG/b2:v1 -f w2/Dockerfile w2",
                "b buildah build -q --isolation chroot --layers -t $REG/b2:v1 -f w2/Dockerfile w2",
                "",
            ),
        ],
    },
    Step {
        name: "push W2 cold",
        needed: true,
        goals: &[Goal::Cpu(1.1, None)],
        ways: &[
            way(Peer, "buildah push", "emptied", "b buildah push -q --tls-verify=false $REG/b2:v1", ""),
            way(
                Peer,
                "skopeo copy, of the same layout",
                "emptied",
                "skopeo copy -q --dest-tls-verify=false oci:box/sealer/images:$REG/w2:v1 docker://$REG/w2:v1",
                "",
            ),
            way(Sealer, "sealer push", "emptied", "s sealer push $REG/w2:v1", ""),
        ],
    },
    Step {
        name: "push W2, all there",
        needed: false,
        goals: &[Goal::Wall(0.1)],
        ways: &[
            way(Sealer, "sealer push", "", "s sealer push $REG/w2:v1", ""),
            way(
                Peer,
                "skopeo copy, of the same layout",
                "",
                "skopeo copy -q --dest-tls-verify=false oci:box/sealer/images:$REG/w2:v1 docker://$REG/w2:v1",
                "",
            ),
        ],
    },
    Step {
        name: "pull W2 cold, as blobs",
        needed: true,
        goals: &[Goal::Cpu(1.1, None)],
        ways: &[
            way(Sealer, "sealer pull", "anew pulled", "s pulled pull $REG/w2:v1", "pulled"),
            way(
                Peer,
                "skopeo copy, to a layout",
                "anew skopeo",
                "skopeo copy -q --src-tls-verify=false docker://$REG/w2:v1 oci:box/skopeo:v1",
                "skopeo",
            ),
        ],
    },
    Step {
        name: "pull W2, all there",
        needed: false,
        goals: &[Goal::Wall(0.1)],
        ways: &[
            way(Sealer, "sealer pull", "", "s pulled pull $REG/w2:v1", ""),
            way(
                Peer,
                "skopeo copy, to a layout",
                "",
                "skopeo copy -q --src-tls-verify=false docker://$REG/w2:v1 oci:box/skopeo:v1",
                "",
            ),
        ],
    },
    Step {
        name: "pull W2 cold, unpacked",
        needed: false,
        goals: &[Goal::Cpu(0.3, Some("buildah pull"))],
        ways: &[
            way(
                Sealer,
                "sealer pull, sealer mount",
                "anew unpacked",
                "s unpacked pull $REG/w2:v1; s unpacked mount $REG/w2:v1",
                "unpacked",
            ),
            way(
                Peer,
                "buildah pull",
                "anew buildah-pulled",
                "b buildah-pulled pull -q --tls-verify=false $REG/w2:v1",
                "buildah-pulled",
            ),
        ],
    },
    Step {
        name: "rebuild W2, last file changed, and push",
        needed: false,
        goals: &[Goal::CpuSeconds(1.5), Goal::Sent(100_000)],
        ways: &[
            way(
                Sealer,
                "sealer build, push",
                "s sealer build -t $REG/w2:v1 w2; date +%s%N > w2/small.conf",
                "s sealer build -t $REG/w2:v2 w2; s sealer push $REG/w2:v2",
                "",
            ),
            way(
                Peer,
                "buildah build, push",
                "b buildah build -q --isolation chroot --layers -t $REG/b2:v1 -f w2/Dockerfile w2
                 date +%s%N > w2/small.conf; b buildah push -q --tls-verify=false $REG/b2:v1",
                "b buildah build -q --isolation chroot --layers -t $REG/b2:v2 -f w2/Dockerfile w2
                 b buildah push -q --tls-verify=false $REG/b2:v2",
                "",
            ),
        ],
    },
    Step {
        name: "pull W2, all but one there",
        needed: false,
        goals: &[Goal::Wall(0.1)],
        ways: &[
            way(Sealer, "sealer pull", "", "s pulled pull $REG/w2:v2", ""),
            way(
                Peer,
                "skopeo copy, to a layout",
                "",
                "skopeo copy -q --src-tls-verify=false docker://$REG/w2:v2 oci:box/skopeo:v2",
                "",
            ),
        ],
    },
    Step {
        name: "save W2",
        needed: true,
        goals: &[Goal::Cpu(2.0, Some("tar, of the layout"))],
        ways: &[
            way(
                Sealer,
                "sealer save",
                "rm -rf box/saved; mkdir box/saved",
                "s sealer save -o box/saved/w2.tar $REG/w2:v1",
                "saved",
            ),
            way(
                Peer,
                "tar, of the layout",
                "rm -f box/tar",
                "tar -cf box/tar -C box/sealer/images blobs index.json oci-layout",
                "",
            ),
            way(
                Peer,
                "skopeo copy, to an oci-archive",
                "rm -f box/archive",
                "skopeo copy -q oci:box/sealer/images:$REG/w2:v1 oci-archive:box/archive:v1",
                "",
            ),
        ],
    },
    Step {
        name: "load W2",
        needed: false,
        goals: &[Goal::Cpu(0.6, Some("skopeo copy, from an oci-archive"))],
        ways: &[
            way(Sealer, "sealer load", "anew loaded", "s loaded load -i box/saved/w2.tar", "loaded"),
            way(
                Peer,
                "skopeo copy, from an oci-archive",
                "anew skopeo-loaded",
                "skopeo copy -q oci-archive:box/saved/w2.tar oci:box/skopeo-loaded:v1",
                "skopeo-loaded",
            ),
        ],
    },
    Step {
        name: "build W1 cold",
        needed: true,
        goals: &[],
        ways: &[
            way(Sealer, "sealer build", "anew sealer1", "s sealer1 build -t $REG/w1:v1 w1", "sealer1"),
            way(Peer, "umoci insert", "anew umoci", "u w1/large", "umoci"),
        ],
    },
    Step {
        name: "push W1 cold",
        needed: true,
        goals: &[Goal::Cpu(1.1, None)],
        ways: &[
            way(
                Peer,
                "skopeo copy, of the same layout",
                "emptied",
                "skopeo copy -q --dest-tls-verify=false oci:box/sealer1/images:$REG/w1:v1 docker://$REG/w1:v1",
                "",
            ),
            way(Sealer, "sealer push", "emptied", "s sealer1 push $REG/w1:v1", ""),
        ],
    },
    Step {
        name: "pull W1 cold, as blobs",
        needed: false,
        goals: &[Goal::Cpu(1.1, None)],
        ways: &[
            way(Sealer, "sealer pull", "anew pulled1", "s pulled1 pull $REG/w1:v1", "pulled1"),
            way(
                Peer,
                "skopeo copy, to a layout",
                "anew skopeo",
                "skopeo copy -q --src-tls-verify=false docker://$REG/w1:v1 oci:box/skopeo:v1",
                "skopeo",
            ),
        ],
    },
    Step {
        name: "build W3 cold",
        needed: true,
        goals: &[Goal::Cpu(0.5, Some("umoci insert"))],
        ways: &[
            way(Sealer, "sealer build", "anew sealer3", "s sealer3 build -t $REG/w3:v1 w3", "sealer3"),
            way(Peer, "umoci insert", "anew umoci", "u w3/files", "umoci"),
            way(
                Peer,
                "buildah build",
                "anew buildah",
                "b buildah build -q --isolation chroot --layers -t $REG/b3:v1 -f w3/Dockerfile w3",
                "buildah",
            ),
        ],
    },
    Step {
        name: "push W3 cold",
        needed: true,
        goals: &[Goal::Cpu(1.1, None)],
        ways: &[
            way(
                Peer,
                "skopeo copy, of the same layout",
                "emptied",
                "skopeo copy -q --dest-tls-verify=false oci:box/sealer3/images:$REG/w3:v1 docker://$REG/w3:v1",
                "",
            ),
            way(Sealer, "sealer push", "emptied", "s sealer3 push $REG/w3:v1", ""),
        ],
    },
    Step {
        name: "pull W3 cold, unpacked",
        needed: false,
        goals: &[Goal::Cpu(0.4, Some("umoci unpack, nothing pulled"))],
        ways: &[
            way(
                Sealer,
                "sealer pull, sealer mount",
                "anew unpacked3",
                "s unpacked3 pull $REG/w3:v1; s unpacked3 mount $REG/w3:v1",
                "unpacked3",
            ),
            way(
                Peer,
                "umoci unpack, nothing pulled",
                "anew umoci bundle; u w3/files",
                "umoci unpack --rootless --image box/umoci:v1 box/bundle",
                "bundle",
            ),
            way(
                Peer,
                "buildah pull",
                "anew buildah-pulled",
                "b buildah-pulled pull -q --tls-verify=false $REG/w3:v1",
                "buildah-pulled",
            ),
        ],
    },
    Step {
        name: "build W5, 20 GiB",
        needed: true,
        goals: &[],
        ways: &[way(Sealer, "sealer build", "anew sealer5", "s sealer5 build -t $REG/w5:v1 w5", "sealer5")],
    },
    Step {
        name: "push W5, 20 GiB",
        needed: true,
        goals: &[],
        ways: &[way(Sealer, "sealer push", "emptied", "s sealer5 push $REG/w5:v1", "")],
    },
    Step {
        name: "pull W5, 20 GiB, unpacked",
        needed: false,
        goals: &[],
        ways: &[way(
            Sealer,
            "sealer pull, sealer mount",
            "anew pulled5",
            "s pulled5 pull $REG/w5:v1; s pulled5 mount $REG/w5:v1",
            "pulled5",
        )],
    },
    Step {
        name: "save and load W5, 20 GiB",
        needed: false,
        goals: &[],
        ways: &[way(
            Sealer,
            "sealer save, sealer load",
            "anew loaded5; rm -rf box/saved5; mkdir box/saved5",
            "s sealer5 save -o box/saved5/w5.tar $REG/w5:v1; s loaded5 load -i box/saved5/w5.tar",
            "loaded5",
        )],
    },
];
