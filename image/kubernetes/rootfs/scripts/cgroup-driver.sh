#!/bin/bash
# Prints who makes control groups: what CgroupDriver says; else systemd where it owns the unified
# hierarchy, and cgroupfs where there is none.
if [ -n "${CgroupDriver:-}" ]; then
    echo "$CgroupDriver"
elif [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo systemd
else
    echo cgroupfs
fi
