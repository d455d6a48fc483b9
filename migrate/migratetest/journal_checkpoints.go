package migratetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// checkpointCases are about journals that are a [migrate.Checkpointer].
var checkpointCases = []journalCase{
	{"checkpoint", checkpointKept},
	{"checkpoint of the last entry", checkpointOfLast},
	{"checkpoints of campaigns", checkpointCampaigns},
}

// checkpointed appends an entry after those that there are, and keeps an image.
func checkpointed(ctx context.Context, j migrate.Journal, after int64, image string) error {
	if err := journalAppend(ctx, j, after, journalNote("a note")); err != nil {
		return err
	}
	if err := j.(migrate.Checkpointer).Checkpoint(ctx, journalCampaign, after+1, []byte(image)); err != nil {
		return fmt.Errorf("checkpoint after entry %d: %w", after+1, err)
	}
	return nil
}

func checkpointIs(ctx context.Context, j migrate.Journal, campaign string, seq int64, image string) error {
	gotSeq, got, err := j.(migrate.Checkpointer).Latest(ctx, campaign)
	if err != nil || gotSeq != seq || string(got) != image {
		return fmt.Errorf("latest checkpoint of %s: entry %d, %q, %v; want entry %d, %q", campaign, gotSeq, got, err, seq, image)
	}
	return nil
}

func checkpointKept(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := checkpointIs(ctx, j, journalCampaign, 0, ""); err != nil {
		return err
	}
	for after, image := range []string{"one", "two\n\x00\xff"} {
		if err := checkpointed(ctx, j, int64(after), image); err != nil {
			return err
		}
		if err := checkpointIs(ctx, open(), journalCampaign, int64(after)+1, image); err != nil {
			return err
		}
	}
	if err := journalAppend(ctx, j, 2, journalNote("three")); err != nil {
		return err
	}
	if err := checkpointIs(ctx, open(), journalCampaign, 2, "two\n\x00\xff"); err != nil {
		return err
	}
	return journalHolds(ctx, open(), journalCampaign, "a note", "a note", "three")
}

func checkpointOfLast(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := errors.Join(checkpointed(ctx, j, 0, "one"), journalAppend(ctx, j, 1, journalNote("two"))); err != nil {
		return err
	}
	for _, seq := range []int64{0, 1, 3} {
		if err := j.(migrate.Checkpointer).Checkpoint(ctx, journalCampaign, seq, []byte("wrong")); !errors.Is(err, migrate.ErrConflict) {
			return fmt.Errorf("checkpoint of entry %d of 2: got %v, want %w", seq, err, migrate.ErrConflict)
		}
	}
	return checkpointIs(ctx, j, journalCampaign, 1, "one")
}

func checkpointCampaigns(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := checkpointed(ctx, j, 0, "one"); err != nil {
		return err
	}
	return checkpointIs(ctx, j, "conformance-2", 0, "")
}
