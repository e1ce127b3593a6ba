//! A plugin's process with all that it starts, kept together: bounded, and ended together.
//!
//! `sealer plugin-host` splits twice before foreign code is met. The first process watches how many
//! there are; the second waits for the plugin's own, tells how that ended, and takes what is left
//! with it. Where it may, it is the first of a process namespace, whose end the kernel makes the end
//! of all in it; elsewhere orphans are handed to it, and it ends them itself.
#![allow(unsafe_code, reason = "a process is split in two")]

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, WaitOptions, WaitStatus, getpid, kill_process, pidfd_open,
    set_child_subreaper, set_parent_process_death_signal, setrlimit, wait,
};
use rustix::system::sysinfo;
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::line::Line;
use super::message::FromChild;

/// A plugin may have so many threads at once, in all of its processes.
const MOST_TASKS: usize = 1024;
/// What a process namespace is left of process ids: as many, the kernel's own 300, and what a thread that ends
/// leaves for a moment. Who starts more is refused by the kernel, before anybody counts.
const MOST_IDS: usize = MOST_TASKS + 300 + 64;
/// The first kernel where a process namespace has such a bound of its own; before, it was the machine's.
const OWN_BOUND: (u32, u32) = (6, 14);
/// Each of its processes may have so many bytes of data.
const MOST_DATA: u64 = 4 << 30;
/// How often is looked whether they are many, and at which of these looks they are counted anyway.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: u32 = 10;
/// How long is waited for what was killed before it is killed again.
const AGAIN: Duration = Duration::from_millis(5);

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
    // Who may not has orphans that are handed on.
    let is_whole = unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.is_ok();
    match fork()? {
        None => keep(line),
        Some(keeper) => {
            let ended = pidfd_open(keeper, PidfdFlags::empty())?;
            watch(&Cage { keeper, ended, is_whole }, line)
        }
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

/// The keeper, as the process sees it that watches.
struct Cage {
    keeper: Pid,
    /// Readable when the keeper, and all in a namespace that it is the first of, are gone.
    ended: OwnedFd,
    /// Whether it is the first of a process namespace.
    is_whole: bool,
}

/// Waits for the keeper to end, and ends it where there are too many, or nobody listens any more.
fn watch(cage: &Cage, line: &mut Line) -> io::Result<Role> {
    hurry();
    let before = usize::from(sysinfo().procs);
    for look in 1_u32.. {
        let socket = line.as_fd();
        let mut events =
            [PollFd::new(&cage.ended, PollFlags::IN), PollFd::from_borrowed_fd(socket, PollFlags::RDHUP)];
        poll(&mut events, Some(&timespec(LOOK)))?;
        let [ended, closed] = events.map(|event| !event.revents().is_empty());
        if ended {
            break;
        }
        if closed {
            cage.end()?;
            break;
        }
        // How many there are on the machine is cheap to know, and grows with what the plugin starts.
        let is_suspicious = usize::from(sysinfo().procs) > before + MOST_TASKS;
        if (is_suspicious || look % LOOKS == 0)
            && count(cage.keeper.as_raw_nonzero().get(), MOST_TASKS) > MOST_TASKS
        {
            // Who is told waits for the rest of us to end.
            let told = line.send(&FromChild::Crowded(MOST_TASKS));
            cage.end()?;
            return Ok(Role::Over(i32::from(told.is_err())));
        }
    }
    Ok(Role::Over(0))
}

/// Goes before all that wants the processor, where that is allowed: who starts processes as fast as the
/// machine can must not keep the one waiting that ends them.
fn hurry() {
    let first = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameter is read before the call returns.
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const first) };
}

impl Cage {
    /// Ends all that is in it. None is left when this returns.
    fn end(&self) -> io::Result<()> {
        if self.is_whole {
            // It may have ended by itself.
            let _ = kill_process(self.keeper, Signal::KILL);
        }
        loop {
            if !self.is_whole {
                // The keeper takes the orphans of what ends, and ends when there are no more.
                end_below(self.keeper.as_raw_nonzero().get());
            }
            if poll(&mut [PollFd::new(&self.ended, PollFlags::IN)], Some(&timespec(AGAIN)))? > 0 {
                return Ok(());
            }
        }
    }
}

/// Kills all processes below one.
fn end_below(process: i32) {
    for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        for child in children(&thread.path()) {
            end_below(child);
            if let Some(child) = Pid::from_raw(child) {
                let _ = kill_process(child, Signal::KILL);
            }
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: 0, tv_nsec: i64::from(duration.subsec_nanos()) }
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
    if getpid() == Pid::INIT && kernel() >= OWN_BOUND {
        // Where it can't be set, those that there are are counted all the same.
        let _ = fs::write("/proc/sys/kernel/pid_max", MOST_IDS.to_string());
    }
    let Some(plugin) = fork()? else {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        return Ok(Role::Plugin);
    };
    // It is this process's end that ends them all.
    hurry();
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

/// Returns the kernel's version; (0, 0) where it can't be told.
fn kernel() -> (u32, u32) {
    let name = rustix::system::uname();
    let release = name.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|sign: char| !sign.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => (0, 0),
    }
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
