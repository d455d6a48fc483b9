package journal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/iotferry/iotferry/migrate"
)

var _ migrate.Checkpointer = (*Dir)(nil)

const checkpointVersion = 1

// A checkpoint is the first line of a checkpoint's file. The image follows.
type checkpoint struct {
	Version int    `json:"checkpoint"`
	Seq     int64  `json:"seq"`   // of the entry after which the image was made
	Offset  int64  `json:"off"`   // of that entry's end in the journal
	Fence   int64  `json:"fence"` // the highest one up to there
	Line    string `json:"line"`  // the sum of that entry's line
	Sum     string `json:"sum"`   // of the image and this line without it: SHA-256 in hexadecimal digits
}

func (h checkpoint) position() position {
	return position{off: h.Offset, seq: h.Seq, fence: h.Fence, sum: h.Line}
}

// seal returns the checkpoint's line with its sum.
func (h checkpoint) seal(image []byte) ([]byte, error) {
	h.Sum = ""
	body, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	sum.Write(body)
	sum.Write(image)
	h.Sum = hex.EncodeToString(sum.Sum(nil))
	line, err := json.Marshal(h)
	return append(line, '\n'), err
}

// openCheckpoint reads a checkpoint's file. Whatever is not exactly as it was written is an error.
func openCheckpoint(data []byte) (checkpoint, []byte, error) {
	line, image, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return checkpoint{}, nil, errors.New("it is not whole")
	}
	var h checkpoint
	if err := json.Unmarshal(line, &h); err != nil {
		return checkpoint{}, nil, err
	}
	if h.Version != checkpointVersion {
		return checkpoint{}, nil, fmt.Errorf("it is of version %d, this program reads %d", h.Version, checkpointVersion)
	}
	sealed, err := h.seal(image)
	if err == nil && !bytes.Equal(sealed, data[:len(line)+1]) {
		err = errors.New("its sum does not fit")
	}
	return h, image, err
}

// Checkpoint implements [migrate.Checkpointer]: the image is in a file of its own, <campaign>.checkpoint, which is written beside it, synced
// and put in its place as a whole.
func (d *Dir) Checkpoint(ctx context.Context, campaign string, seq int64, image []byte) error {
	c, err := d.campaign(campaign)
	if err != nil {
		return err
	}
	if err := c.checkpoint(ctx, seq, image); err != nil {
		return fmt.Errorf("checkpoint %s: %w", c.checkpointPath(), err)
	}
	return nil
}

// Latest implements [migrate.Checkpointer]. It checks the sums of the lines up to the image's entry, without reading what the lines
// say. A checkpoint that is torn, of another version or of another journal, and one of a journal that is damaged before it, is
// [migrate.ErrDamaged]; [Dir.Entries] from the first entry then tells whether the journal itself is.
func (d *Dir) Latest(ctx context.Context, campaign string) (int64, []byte, error) {
	c, err := d.campaign(campaign)
	if err != nil {
		return 0, nil, err
	}
	seq, image, err := c.latest(ctx)
	if err != nil {
		return 0, nil, fmt.Errorf("checkpoint %s: %w", c.checkpointPath(), err)
	}
	return seq, image, nil
}

func (c *campaign) checkpointPath() string { return c.path[:len(c.path)-len(".jsonl")] + ".checkpoint" }

func (c *campaign) checkpoint(ctx context.Context, seq int64, image []byte) error {
	at, err := c.last(ctx)
	if err != nil {
		return err
	}
	if at.seq != seq || seq == 0 {
		return fmt.Errorf("entry %d is not the last one known, which is %d: %w", seq, at.seq, migrate.ErrConflict)
	}
	h := checkpoint{Version: checkpointVersion, Seq: at.seq, Offset: at.off, Fence: at.fence, Line: at.sum}
	line, err := h.seal(image)
	if err != nil {
		return err
	}
	fresh := c.checkpointPath() + ".new"
	err = c.dir.open.write(fresh, append(line, image...))
	if err == nil {
		err = os.Rename(fresh, c.checkpointPath())
	}
	if err != nil {
		return errors.Join(err, os.Remove(fresh)) // on a full disk the journal needs the room
	}
	return c.dir.open.syncDir(c.dir.path)
}

// last returns the position of the last entry that this process knows.
func (c *campaign) last(ctx context.Context) (position, error) {
	if err := c.take(ctx); err != nil {
		return position{}, err
	}
	defer c.give()
	if c.broken != nil || c.denied != nil {
		return position{}, errors.Join(c.broken, c.denied)
	}
	return c.end, nil
}

func (c *campaign) latest(ctx context.Context) (int64, []byte, error) {
	data, err := os.ReadFile(c.checkpointPath())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	h, image, err := openCheckpoint(data)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", err, migrate.ErrDamaged)
	}
	s, err := c.snapshot(ctx, h.Seq)
	if err != nil {
		return 0, nil, err
	}
	if s == nil {
		return 0, nil, fmt.Errorf("its journal is not there: %w", migrate.ErrDamaged)
	}
	if err := s.reaches(ctx, h.position()); err != nil {
		return 0, nil, err
	}
	c.learnFrom(s)
	return h.Seq, image, nil
}

// reaches checks by the sums of the lines that a position is ahead, and goes there.
func (s *scanner) reaches(ctx context.Context, want position) error {
	at := s.end
	for at.seq < want.seq && at.off < want.off && s.lines.in.Scan() {
		if err := ctx.Err(); err != nil {
			return err
		}
		text := s.lines.in.Bytes()
		sum := claimed(text)
		if sum == "" || text[len(text)-1] != '\n' || sum != chain(at.sum, text[:len(text)-1-sumLen]) {
			return fmt.Errorf("the journal is damaged in line %d: %w", at.seq+1, migrate.ErrDamaged)
		}
		at.off, at.seq, at.sum = at.off+int64(len(text)), at.seq+1, sum
	}
	if err := s.lines.in.Err(); err != nil && !errors.Is(err, bufio.ErrTooLong) {
		return err
	}
	if at.off != want.off || at.seq != want.seq || at.sum != want.sum {
		return fmt.Errorf("it is of another journal, or of one that was longer: %w", migrate.ErrDamaged)
	}
	s.reach(want)
	return nil
}

// write makes a file that has these bytes, durably.
func (open opener) write(path string, data []byte) error {
	f, err := open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
