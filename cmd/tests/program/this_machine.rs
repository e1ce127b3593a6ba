//! Sealer on a host of the cluster itself, which is reached without SSH. It runs within a throwaway host: the
//! machine of the tests is told nothing.

use std::fs;

use crate::hosts::{PASSWORD, Room};

/// Puts sealer and an image on the first host.
fn prepare(room: &Room) {
    let data = room.user.path(&format!("sandbox/hosts/{}/data/sealer", room.hosts()[0].name));
    fs::copy(env!("CARGO_BIN_EXE_sealer"), data).unwrap();
    let setup = "mv /var/lib/sealer/sealer /usr/local/bin/; mkdir -p /demo/scripts; cd /demo; \
        printf 'FROM scratch\\nCOPY scripts .\\nCMD id -un > /marks/cmd\\n' > Kubefile; \
        echo 'mkdir -p /marks; env | cut -d= -f1 > /marks/env; id -un > /marks/init' > scripts/init.sh; \
        echo 'rm -rf /marks' > scripts/clean.sh; chmod -R a+rX /demo";
    room.on(0, setup);
}

/// What the program says on the first host, as one of its users, and its exit code behind that.
fn sealer(room: &Room, user: &str, args: &str) -> String {
    let command = format!("cd /; SEALER_CANARY=x sealer {args} 2>&1; echo \"exit $?\"");
    room.on(0, &format!("su - {user} -s /bin/sh -c '{command}'"))
}

/// Which of the hosts the user's cluster has seen a key of.
fn known(room: &Room, home: &str) -> Vec<usize> {
    let known = room.on(0, &format!("find {home} /var/lib/sealer -name known_hosts -exec cat {{}} +"));
    (0..room.hosts().len()).filter(|host| known.contains(&room.address(*host))).collect()
}

#[test]
fn the_host_that_sealer_runs_on_is_told_without_ssh_by_root_and_by_a_user_with_sudo() {
    let room = Room::with(2);
    prepare(&room);
    let (own, other) = (room.address(0), room.address(1));
    for (user, home) in [("root", "/var/lib/sealer"), ("ops", "/home/ops")] {
        let built = sealer(&room, user, "build --quiet -t demo:v1 /demo");
        assert!(built.ends_with("exit 0\n"), "{built}");
        let login = format!("-u {user} -p \"{PASSWORD}\"");
        let ran = sealer(&room, user, &format!("run --quiet --local demo:v1 -m {own} -n {other} {login}"));
        assert!(ran.ends_with("exit 0\n"), "{ran}");
        assert_eq!(room.on_all("cat /marks/init /marks/cmd 2>/dev/null"), ["root\nroot\n", "root\n"]);
        assert_eq!(room.on(0, "grep -c CANARY /marks/env"), "0\n");
        assert_eq!(known(&room, home), [1]);

        let refused = sealer(&room, user, &format!("delete -a --force -u {user} -p wrong"));
        let failed = [&own, &other].map(|host| refused.contains(&format!("{host}: ")));
        assert_eq!((failed, refused.ends_with("exit 5\n")), ([user == "ops", true], true), "{refused}");
        // That it is reached so is kept with the cluster.
        let deleted = sealer(&room, user, &format!("delete --quiet -a --force -u {user} -p \"{PASSWORD}\""));
        assert!(deleted.ends_with("exit 0\n"), "{deleted}");
        assert_eq!(room.on_all("ls -d /marks /var/lib/sealer/data 2>/dev/null"), ["", ""]);
    }
}
