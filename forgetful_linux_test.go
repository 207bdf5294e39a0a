package main

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// forgetful is a file system in memory that remembers only what it was told to: of a file what was in it at the last fsync, of
// a directory the names that were in it then. cut takes it back to that, as a power cut may.
type forgetful struct {
	dir    string
	server *fuse.Server

	mu    sync.Mutex
	root  *inode
	syncs int // of files, while names or bytes had changed
	lost  int // bytes that cuts took away
}

// inode is a file or a directory.
type inode struct {
	fs.Inode
	world *forgetful

	now, safe []byte
	low, high int64 // what differs of now and safe lies within
	changed   bool

	names map[string]*inode // of a directory, those that are safe
}

var _ interface {
	fs.NodeOnAdder
	fs.NodeCreater
	fs.NodeMkdirer
	fs.NodeUnlinker
	fs.NodeRmdirer
	fs.NodeRenamer
	fs.NodeLinker
	fs.NodeOpener
	fs.NodeReader
	fs.NodeWriter
	fs.NodeFsyncer
	fs.NodeFlusher
	fs.NodeGetattrer
	fs.NodeSetattrer
	fs.NodeAllocater
	fs.NodeStatfser
} = (*inode)(nil)

// mount mounts one at dir. It skips the test, with the reason, where that cannot be.
func mount(t *testing.T, dir string) *forgetful {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("this kernel has no file systems in user space: ", err) // and nothing can be installed for that
	}
	w := &forgetful{dir: dir}
	w.root = &inode{world: w, names: map[string]*inode{}}
	if err := w.mount(); err != nil {
		require(t, "this needs to mount a file system in user space, which root may: "+err.Error())
	}
	t.Cleanup(func() {
		if err := w.unmount(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *forgetful) mount() (err error) {
	never := time.Duration(0)
	w.server, err = fs.Mount(w.dir, w.root, &fs.Options{
		MountOptions: fuse.MountOptions{DirectMountStrict: true, FsName: "forgetful", Name: "forgetful"},
		EntryTimeout: &never, AttrTimeout: &never, NegativeTimeout: &never,
	})
	return err
}

// unmount waits until nobody has a file open any more: the kernel closes those of a process that was killed in its own time.
func (w *forgetful) unmount() (err error) {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for range 1000 {
		if err = w.server.Unmount(); err == nil {
			w.server.Wait()
			return nil
		}
		<-again.C
	}
	return err
}

// cut forgets.
func (w *forgetful) cut() error {
	if err := w.unmount(); err != nil {
		return err
	}
	w.mu.Lock()
	w.root = w.remembered(w.root)
	w.mu.Unlock()
	return w.mount()
}

// remembered is a file or directory as it is after a cut.
func (w *forgetful) remembered(n *inode) *inode {
	if n.names == nil {
		if n.changed {
			w.lost += int(n.high - n.low)
		}
		return &inode{world: w, now: append([]byte(nil), n.safe...), safe: n.safe}
	}
	again := &inode{world: w, names: map[string]*inode{}}
	for name, child := range n.names {
		again.names[name] = w.remembered(child)
	}
	return again
}

// OnAdd makes the nodes of what a directory remembers.
func (n *inode) OnAdd(ctx context.Context) {
	for name, child := range n.names {
		n.AddChild(name, n.NewPersistentInode(ctx, child, child.attr()), true)
	}
}

func (n *inode) attr() fs.StableAttr {
	if n.names != nil {
		return fs.StableAttr{Mode: fuse.S_IFDIR}
	}
	return fs.StableAttr{Mode: fuse.S_IFREG}
}

func (n *inode) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	child := &inode{world: n.world}
	child.fill(&out.Attr)
	return n.NewPersistentInode(ctx, child, child.attr()), nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *inode) Mkdir(ctx context.Context, _ string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	child := &inode{world: n.world, names: map[string]*inode{}}
	child.fill(&out.Attr)
	return n.NewPersistentInode(ctx, child, child.attr()), 0
}

func (n *inode) Unlink(context.Context, string) syscall.Errno { return 0 } // the library changes the names as they are now

func (n *inode) Rmdir(_ context.Context, name string) syscall.Errno {
	if child := n.GetChild(name); child != nil && len(child.Children()) > 0 {
		return syscall.ENOTEMPTY
	}
	return 0
}

func (n *inode) Rename(context.Context, string, fs.InodeEmbedder, string, uint32) syscall.Errno {
	return 0
}

func (n *inode) Link(_ context.Context, target fs.InodeEmbedder, _ string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	target.(*inode).fill(&out.Attr)
	return target.EmbeddedInode(), 0
}

func (n *inode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_DIRECT_IO, 0
}

func (n *inode) Read(_ context.Context, _ fs.FileHandle, b []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	k := 0
	if off < int64(len(n.now)) {
		k = copy(b, n.now[off:])
	}
	return fuse.ReadResultData(b[:k]), 0
}

func (n *inode) Write(_ context.Context, _ fs.FileHandle, b []byte, off int64) (uint32, syscall.Errno) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.size(max(int64(len(n.now)), off+int64(len(b))))
	copy(n.now[off:], b)
	n.change(off, off+int64(len(b)))
	return uint32(len(b)), 0
}

func (n *inode) change(low, high int64) {
	if !n.changed {
		n.changed, n.low, n.high = true, low, high
	}
	n.low, n.high = min(n.low, low), max(n.high, high)
}

// size gives the file so many bytes.
func (n *inode) size(to int64) {
	was := int64(len(n.now))
	switch {
	case to < was:
		n.now = n.now[:to:to]
		n.change(to, was)
	case to > was:
		n.now = append(n.now, make([]byte, to-was)...)
		n.change(was, to)
	}
}

// Fsync makes the file's bytes safe, or the directory's names.
func (n *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if n.names != nil {
		clear(n.names)
		for name, child := range n.Children() {
			n.names[name] = child.Operations().(*inode)
		}
		return 0
	}
	if !n.changed {
		return 0
	}
	n.world.syncs++
	if len(n.safe) > len(n.now) {
		n.safe = n.safe[:len(n.now)]
	}
	n.safe = append(n.safe, make([]byte, len(n.now)-len(n.safe))...)
	if high := min(n.high, int64(len(n.now))); n.low < high {
		copy(n.safe[n.low:high], n.now[n.low:high])
	}
	n.changed = false
	return 0
}

func (n *inode) Flush(context.Context, fs.FileHandle) syscall.Errno { return 0 }

func (n *inode) fill(a *fuse.Attr) {
	a.Mode, a.Size, a.Nlink, a.Blksize = 0o755, uint64(len(n.now)), 1, 4096
	a.Blocks = (a.Size + 511) / 512
}

func (n *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.fill(&out.Attr)
	return 0
}

func (n *inode) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if size, ok := in.GetSize(); ok {
		n.size(int64(size))
	}
	n.fill(&out.Attr)
	return 0
}

func (n *inode) Allocate(_ context.Context, _ fs.FileHandle, off, size uint64, mode uint32) syscall.Errno {
	const keepSize = 1
	if mode&^keepSize != 0 {
		return syscall.ENOTSUP
	}
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if mode == 0 {
		n.size(max(int64(len(n.now)), int64(off+size)))
	}
	return 0
}

func (n *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const blocks = 64 << 30 / 4096
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	out.Blocks, out.Bfree, out.Bavail = blocks, blocks, blocks
	out.Files, out.Ffree = 1<<20, 1<<20
	return 0
}
