package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// fileSystems are those that people put data on, by their magic numbers
// (statfs(2)).
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.NFS_SUPER_MAGIC: "nfs", 0x2fc12fc1: "zfs", 0x65735546: "fuse",
	unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs",
}

// fileSystem names the file system that a folder is on.
func fileSystem(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", os.NewSyscallError("statfs", err)
	}
	magic := int64(uint32(s.Type)) // its type differs between architectures
	if name, ok := fileSystems[magic]; ok {
		return name, nil
	}
	return fmt.Sprintf("a file system of type %#x", magic), nil
}
