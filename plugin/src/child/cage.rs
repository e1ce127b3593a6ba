//! A plugin's process with all that it starts, kept together: bounded, and ended together.
//!
//! `sealer plugin-host` splits twice before foreign code is met. The first process watches how many
//! there are; the second waits for the plugin's own, tells how that ended, and takes what is left
//! with it. Where it may, it is the first of a process namespace, whose end the kernel makes the end
//! of all in it; elsewhere orphans are handed to it, and it ends them itself.
#![allow(unsafe_code, reason = "a process is split in two")]

use std::fs;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, kill_process, pidfd_open,
    set_child_subreaper, set_parent_process_death_signal, setrlimit, wait,
};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::line::Line;
use super::message::FromChild;

/// A plugin may have so many threads at once, in all of its processes.
const MOST_TASKS: usize = 1024;
/// Each of its processes may have so many bytes of data.
const MOST_DATA: u64 = 4 << 30;
/// How often they are counted.
const LOOK: Duration = Duration::from_millis(50);

/// What this process is from here on.
pub(super) enum Role {
    /// The one that meets foreign code.
    Plugin,
    /// One that is done: its exit status.
    Over(i32),
}

/// Splits off the process that meets foreign code, and returns in each. `line` is told how that
/// process ended. There must be one thread only.
pub(super) fn enter(line: &mut Line) -> io::Result<Role> {
    limit()?;
    // SAFETY: only what is forked from here on is told other process ids.
    // Who may not has the process group, and orphans that are handed on.
    let _ = unsafe { unshare_unsafe(UnshareFlags::NEWPID) };
    match fork()? {
        None => keep(line),
        Some(keeper) => watch(keeper, line),
    }
}

fn limit() -> io::Result<()> {
    let most = |maximum| Rlimit { current: Some(maximum), maximum: Some(maximum) };
    setrlimit(Resource::Core, most(0))?;
    match setrlimit(Resource::Data, most(MOST_DATA)) {
        // There is a lower limit already.
        Err(Errno::PERM) => Ok(()),
        result => Ok(result?),
    }
}

/// Returns the new process's id in the old one, nothing in the new one.
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: there is one thread, so that no lock is held by one that the new process lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        id => Ok(Pid::from_raw(id)),
    }
}

/// Waits for the keeper to end, and ends it where there are too many.
fn watch(keeper: Pid, line: &mut Line) -> io::Result<Role> {
    let ended = pidfd_open(keeper, PidfdFlags::empty())?;
    let look = Timespec { tv_sec: 0, tv_nsec: i64::from(LOOK.subsec_nanos()) };
    while poll(&mut [PollFd::new(&ended, PollFlags::IN)], Some(&look))? == 0 {
        if count(keeper.as_raw_nonzero().get(), MOST_TASKS) > MOST_TASKS {
            // Who is told ends the rest of us.
            let told = line.send(&FromChild::Crowded(MOST_TASKS));
            kill_process(keeper, Signal::KILL)?;
            return Ok(Role::Over(i32::from(told.is_err())));
        }
    }
    Ok(Role::Over(0))
}

/// Counts the threads of a process and of all below it; stops once they are more than `most`.
fn count(process: i32, most: usize) -> usize {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return 0 };
    let mut counted = 0;
    for thread in threads.flatten() {
        counted += 1;
        for child in children(&thread.path()) {
            if counted > most {
                return counted;
            }
            counted += count(child, most - counted.min(most));
        }
    }
    counted
}

fn children(thread: &std::path::Path) -> Vec<i32> {
    let text = fs::read_to_string(thread.join("children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Splits off the plugin, waits for it, ends what it leaves, and tells how it ended.
fn keep(line: &mut Line) -> io::Result<Role> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_child_subreaper(Some(getpid()))?;
    let Some(plugin) = fork()? else {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        return Ok(Role::Plugin);
    };
    let status = loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((process, status))) if process == plugin => break status,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    };
    if getpid() != Pid::INIT {
        end_children();
    }
    let told = line.send(&FromChild::Ended(raw(status)));
    Ok(Role::Over(i32::from(told.is_err())))
}

/// Ends all that was handed to this process, and what is handed on by that.
fn end_children() {
    let own = fs::read_link("/proc/thread-self").map(|path| std::path::Path::new("/proc").join(path));
    let Ok(own) = own else { return };
    loop {
        let left = children(&own);
        if left.is_empty() {
            return;
        }
        for child in left.into_iter().filter_map(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(child, Signal::KILL);
            let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
        }
    }
}

fn raw(status: WaitStatus) -> i32 {
    status.as_raw()
}
