"""The supervisor: a tree of forked interpreters, inside whatever confines them.

Standard library only, and the same files in every backend. It is pid 1 where there is a pid
namespace, runs no agent code itself, and does not trust what a node reports: that is an
observation. Everything else (which process a node is, whether it stopped, how much memory it holds)
is read from the kernel.

main          requests of the host, one at a time
nodes         fork a node, run code in it, keep it stopped, evict it
jobs          what a node is to run, its output, and the reply about it
run_monitor   wait for a running node, under its limits
interpreter   the node's side: untrusted from the first line of agent code on
quiet_fork    a fork without the hooks of CPython's own modules
residents     in the place of main: servers that live on between requests
startup       what `site` does, without the code of the machine's .pth files
framing       messages with the host and with the nodes
files/        a node's files: as copies, or as layers of an overlay file system
kernel/       processes, rights and limits, system-call filters
"""
