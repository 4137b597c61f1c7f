"""The supervisor: a tree of forked interpreters, inside whatever confines them.

Standard library only, and the same files in every backend. It is pid 1 where there is a pid
namespace, runs no agent code itself, and believes nothing that a node says: what a node reports is
an observation, and everything else (which process it is, whether it stopped, how much it holds) is
read from the kernel.

main          requests of the host, one at a time
nodes         fork a node, run code in it, keep it stopped, evict it
jobs          what a node is to run                      telling   what came of it, for the engine
attending     wait for a running node, under its limits          output   what it writes
interpreter   the node's side: untrusted from the first line of agent code on
startup       what `site` does, without code of the machine's
hooks         what CPython does after a fork, and may be left out
processes     stop, kill, measure processes
files         a node's files as copies          overlay     as layers of an overlay file system
walking       walk, copy and remove files that may be hostile
confine       user, capabilities, resource limits, system calls (seccomp)
wire          messages with the host and with the nodes
"""
