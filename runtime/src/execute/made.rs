//! What commands made on a host: written down there when they end, and taken back by a delete.
//!
//! Around each command a host's own files are looked at: configuration, programs, units. What is new, other
//! or gone afterwards is the command's. The configuration is kept as it was before the first of them, so that
//! it can be put back; what somebody else has changed since is left, and told.

use std::fmt;

use serde::Serialize;

use crate::host::quote::quote;

/// Something on a host that a command made or changed, and that a delete leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The host's address.
    pub host: String,
    /// Where it is.
    pub path: String,
    /// Why it is left, as a phrase.
    pub reason: String,
}

impl Left {
    /// Reads a line that [`undo`] prints.
    pub(super) fn read(host: &str, line: &str) -> Option<Self> {
        let [_, path, reason] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        Some(Self { host: host.to_owned(), path: path.to_owned(), reason: reason.to_owned() })
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is left: {}", self.host, self.path, self.reason)
    }
}

/// The folder of the record, in the cluster's folder on a host.
const MADE: &str = ".made";

/// Prints what there is, a line each: `TYPE PATH MARK`, with tabs between; the mark of a file changes with
/// it, that of a link is its target.
const LOOK: &str = r#"look() {
find /etc /opt /root/.kube /usr/bin /usr/sbin /usr/local /usr/lib/systemd/system -xdev -maxdepth 6 \
! -name '*[[:cntrl:]]*' ! -path /etc/ld.so.cache ! -path /etc/mtab ! -path /etc/resolv.conf \
\( -type f -printf 'f\t%p\t%s %T@ %i\n' -o -type l -printf 'l\t%p\t%l\n' -o -type d -printf 'd\t%p\t\n' \) 2>/dev/null
}
kernel() { grep -rs '' /proc/sys/net /proc/sys/vm /proc/sys/fs /proc/sys/kernel --exclude-dir=random --exclude-dir=binfmt_misc --exclude=ns_last_pid; }
"#;

/// Stands before a command. An attempt that was cut off has looked already.
const BEFORE: &str = r#"mkdir -p -m 700 "$made"
[ -e "$made/etc.tar" ] || { (umask 077; cd / && tar -cf "$made/etc.new" --exclude=etc/shadow* --exclude=etc/gshadow* --exclude=etc/ssh --exclude=etc/ssl --exclude=etc/kubernetes etc 2>/dev/null); mv "$made/etc.new" "$made/etc.tar"; }
[ -e "$made/$name.before" ] || { kernel > "$made/$name.kernel"; look > "$made/new"; mv "$made/new" "$made/$name.before"; }
"#;

/// Stands behind it, and adds to the record: `SIGN TYPE PATH MARK`. `+` is new, `~` is other, `-` is gone, and
/// `=` is a setting of the kernel that a new file names, with its value before and behind. The mark of a file
/// is its digest.
const AFTER: &str = r#"tab=$(printf '\t')
[ ! -d "$made" ] || {
look | awk -F'\t' -v OFS='\t' '
NR == FNR { kind[$2] = $1; mark[$2] = $3; next }
{ seen[$2] = 1
  if (!($2 in kind)) print "+", $1, $2, $3
  else if ($1 != "d" && (kind[$2] != $1 || mark[$2] != $3)) print "~", $1, $2, $3 }
END { for (path in kind) if (!(path in seen) && kind[path] != "d") print "-", kind[path], path, "." }' "$made/$name.before" - |
while IFS="$tab" read -r sign kind path mark; do
    [ "$kind" != f ] || [ "$sign" = - ] || mark=$(sha256sum < "$path" | cut -d ' ' -f 1)
    printf '%s\t%s\t%s\t%s\n' "$sign" "$kind" "$path" "${mark:-.}"
    case "$sign$kind$path" in [+~]f/etc/sysctl.*)
        sed -n 's/^[[:space:]]*-*\([a-zA-Z0-9_./-]*\)[[:space:]]*=.*/\1/p' "$path" | tr . / | while read -r key; do
            old=$(sed -n "s,^/proc/sys/$key:,,p" "$made/$name.kernel" | head -n 1 | tr '\t' ' ')
            new=$(tr '\t' ' ' < "/proc/sys/$key" 2>/dev/null)
            [ -z "$old" ] || [ "$old" = "$new" ] || printf '=\t%s\t%s\t%s\n' "$old" "/proc/sys/$key" "$new"
        done ;;
    esac
done >> "$made/made"
[ "$status" != 0 ] || rm -f "$made/$name.before" "$made/$name.kernel"
}
"#;

/// Takes back what the record says, the innermost first, and prints what is left: `left PATH WHY`, with tabs.
/// The first line of a path says what it was before, the last what the commands left it as.
const UNDO: &str = r#"for name in "$made"/*.before; do
    name=${name##*/}; name=${name%.before}
    if [ -e "$made/$name.before" ]; then after; fi
done
[ -s "$made/made" ] || exit 0
tab=$(printf '\t')
left() { printf 'left\t%s\t%s\n' "$path" "$1"; }
sum() { sha256sum | cut -d ' ' -f 1; }
awk -F'\t' -v OFS='\t' '
!($3 in first) { first[$3] = $1; if ($1 == "=") old[$3] = $2 }
{ kind[$3] = $1 == "=" ? old[$3] : $2; mark[$3] = $4 }
END { for (path in first) print first[path], kind[path], path, mark[path] }' "$made/made" | LC_ALL=C sort -t "$tab" -k 3,3r |
while IFS="$tab" read -r sign kind path mark; do
    name=${path#/}
    case $sign$kind in
    +f) [ -f "$path" ] && [ ! -L "$path" ] || continue
        if [ "$(sum < "$path")" != "$mark" ]; then left 'it was changed since'; continue; fi
        case $path in */systemd/system/*.*) systemctl disable --now "${path##*/}" >/dev/null 2>&1 ;; esac
        rm -f "$path" ;;
    +l) [ -L "$path" ] || continue
        if [ "$(readlink "$path")" = "$mark" ]; then rm -f "$path"; else left 'it was changed since'; fi ;;
    +d) [ ! -d "$path" ] || rmdir "$path" 2>/dev/null || left 'it is not empty' ;;
    '~f') [ -f "$path" ] || { left 'it was there before, and is gone'; continue; }
        now=$(sum < "$path")
        if ! tar -tf "$made/etc.tar" "$name" >/dev/null 2>&1; then left 'how it was before was not kept'
        elif [ "$now" = "$(tar -xOf "$made/etc.tar" "$name" | sum)" ]; then :
        elif [ "$now" = "$mark" ]; then tar -xOf "$made/etc.tar" "$name" > "$path"
        else left 'it was changed since'; fi ;;
    -?) [ -e "$path" ] || [ -L "$path" ] || tar -C / -xpf "$made/etc.tar" "$name" 2>/dev/null || left 'it is gone, and how it was before was not kept' ;;
    =*) [ "$(tr '\t' ' ' < "$path" 2>/dev/null)" != "$mark" ] || printf '%s\n' "$kind" > "$path" 2>/dev/null || left 'it cannot be set' ;;
    *) left 'it became something else' ;;
    esac
done
[ -z "$(command -v systemctl)" ] || systemctl daemon-reload >/dev/null 2>&1 || true
"#;

/// What stands before and behind a command, so that what it makes is written down. `data_dir` is the cluster's
/// folder on the host, `step` the step's name; behind the command, `status` is how it ended.
pub(super) fn around(data_dir: &str, step: &str) -> (String, String) {
    let (made, name) = (quote(&format!("{data_dir}/{MADE}")), quote(&step.replace('/', "_")));
    // Nothing of it is seen by the command.
    let part = |part: &str| format!("(made={made}\nname={name}\n{LOOK}{part}) </dev/null 9>&-");
    (part(BEFORE), part(AFTER))
}

/// A command that takes back what a host's record says, and what a command left that did not end.
pub(super) fn undo(data_dir: &str) -> String {
    format!("made={}\nstatus=0\n{LOOK}after() {{\n{AFTER}}}\n{UNDO}", quote(&format!("{data_dir}/{MADE}")))
}
