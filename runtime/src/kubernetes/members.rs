//! The members of etcd: whether masters may leave a cluster which goes on.

use sealer_plugin::ETCD_TOOLS;

use crate::error::HostFailure;
use crate::host::{Host, must};

/// A member of etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EtcdMember {
    is_well: bool,
    id: String,
    peer: String,
}

/// Refuses what would cost etcd its majority, now or when masters have left, as a master that stays sees it.
///
/// # Errors
/// [`HostFailure::Unfit`] with what would be lost; what keeps `host` from telling.
pub(crate) fn guard_members(host: &dyn Host, leaving: &[String]) -> Result<(), HostFailure> {
    let printed = must(host, &format!("{ETCD_TOOLS}\n{MEMBERS}"))?;
    let members: Vec<EtcdMember> = String::from_utf8_lossy(&printed).lines().filter_map(member).collect();
    match objection(&members, leaving) {
        Some(objection) => Err(HostFailure::Unfit(objection)),
        None => Ok(()),
    }
}

/// Prints `well` or `ill` before the line of each member; nothing, where etcd is no static pod.
const MEMBERS: &str = r#"[ -e "$manifests/etcd.yaml" ] || exit 0
members=$(ctl member list)
printf '%s\n' "$members" | while IFS= read -r line; do
    endpoints=$(printf '%s\n' "$line" | awk -F', ' '{ print $5 }')
    if [ -n "$endpoints" ] && ctl endpoint health < /dev/null > /dev/null 2>&1; then how=well; else how=ill; fi
    printf '%s, %s\n' "$how" "$line"
done"#;

/// Reads `HOW, ID, STATE, NAME, PEER, CLIENT, LEARNER`.
fn member(line: &str) -> Option<EtcdMember> {
    let words: Vec<&str> = line.split(", ").collect();
    let [how, id, _, _, peer, ..] = &words[..] else { return None };
    Some(EtcdMember { is_well: *how == "well", id: (*id).to_owned(), peer: (*peer).to_owned() })
}

fn is_of(member: &EtcdMember, hosts: &[String]) -> bool {
    hosts
        .iter()
        .any(|host| [format!("//{host}:"), format!("//[{host}]:")].iter().any(|at| member.peer.contains(at)))
}

/// Why masters may not leave; none, if they may.
fn objection(members: &[EtcdMember], leaving: &[String]) -> Option<String> {
    let well = |members: &[&EtcdMember]| members.iter().filter(|member| member.is_well).count();
    let all: Vec<&EtcdMember> = members.iter().collect();
    let (total, need) = (all.len(), all.len() / 2 + 1);
    if total == 0 {
        return None;
    }
    if well(&all) < need {
        return Some(format!(
            "{} of {total} members of etcd are well and {need} are needed: none can be removed",
            well(&all)
        ));
    }
    let left: Vec<&EtcdMember> = members.iter().filter(|member| !is_of(member, leaving)).collect();
    let need = left.len() / 2 + 1;
    (well(&left) < need).then(|| {
        format!(
            "without {}, {} of {} members of etcd would be well, and {need} are needed",
            leaving.join(", "),
            well(&left),
            left.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{EtcdMember, member, objection};

    fn members(states: &[bool]) -> Vec<EtcdMember> {
        let member = |(index, is_well): (usize, &bool)| EtcdMember {
            is_well: *is_well,
            id: format!("{index}"),
            peer: format!("https://10.0.0.{}:2380", index + 1),
        };
        states.iter().enumerate().map(member).collect()
    }

    #[test]
    fn a_member_is_read_whether_or_not_it_has_begun() {
        let line = "ill, 8e9e05c52164694d, unstarted, , https://10.0.0.2:2380, , false";
        let expected = EtcdMember {
            is_well: false,
            id: "8e9e05c52164694d".to_owned(),
            peer: "https://10.0.0.2:2380".to_owned(),
        };
        assert_eq!(member(line), Some(expected));
    }

    #[test]
    fn masters_may_leave_while_a_majority_of_the_others_is_well() {
        let leave = |states: &[bool], hosts: &[&str]| {
            let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
            objection(&members(states), &hosts)
        };
        assert_eq!(leave(&[true, true, true], &["10.0.0.1"]), None);
        assert_eq!(leave(&[false, true, true], &["10.0.0.1"]), None);
        assert_eq!(leave(&[true, true], &["10.0.0.1"]), None);
        assert_eq!(leave(&[], &["10.0.0.1"]), None);
        assert_eq!(
            leave(&[true, true, false], &["10.0.0.1"]).as_deref(),
            Some("without 10.0.0.1, 1 of 2 members of etcd would be well, and 2 are needed")
        );
        assert_eq!(
            leave(&[false, true], &["10.0.0.1"]).as_deref(),
            Some("1 of 2 members of etcd are well and 2 are needed: none can be removed")
        );
    }
}
