package tslsync

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// SampleSize returns how many of a number of devices to compare, so that no difference in the sample says with that
// confidence that less than bound of all devices differ: with 0.95 and 0.01, in 95 of 100 samples of a fleet
// where one device in a hundred or more differs, such a device is found. Confidence and bound are more than 0 and
// less than 1, else the error is [iot.Invalid]. The devices must be taken by chance: see [Sample].
func SampleSize(devices int, confidence, bound float64) (int, error) {
	if !(confidence > 0 && confidence < 1 && bound > 0 && bound < 1) {
		return 0, refuse("confidence %g and bound %g: both are more than 0 and less than 1", confidence, bound)
	}
	differ := int(math.Ceil(bound * float64(devices)))
	unseen := 1.0 // the probability that n devices, none taken twice, are all without a difference
	for n := range devices {
		if unseen <= 1-confidence {
			return n, nil
		}
		unseen *= max(0, float64(devices-differ-n)) / float64(devices-n)
	}
	return devices, nil
}

// AtMost returns the share of all devices that differ at most, with that confidence, if so many of a sample did: the
// upper limit of Clopper and Pearson, which is on the safe side, the more so where the sample is a great part of the fleet.
// It is 1 for an empty sample and for a confidence that is not between 0 and 1.
func AtMost(sampled, different int, confidence float64) float64 {
	if different >= sampled || different < 0 || !(confidence > 0 && confidence < 1) {
		return 1
	}
	low, high := 0.0, 1.0
	for range 60 {
		if p := (low + high) / 2; binomial(sampled, different, p) > 1-confidence {
			low = p
		} else {
			high = p
		}
	}
	return high
}

// binomial returns the probability of at most k hits in n tries, each with probability p.
func binomial(n, k int, p float64) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	var sum float64
	for i := range k + 1 {
		hits, _ := math.Lgamma(float64(i + 1))
		misses, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(all - hits - misses + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return sum
}

// Sample returns n of the devices, or all if there are fewer, in the order of their names. Which ones depends on the seed and on
// the set of devices alone, and a greater sample of the same seed holds the smaller one, so that a sample
// can be made greater later without losing what is compared.
func Sample(devices iter.Seq[iot.DeviceID], n int, seed uint64) []iot.DeviceID {
	type lot struct {
		id    iot.DeviceID
		drawn [sha256.Size]byte
	}
	var lots []lot
	for id := range devices {
		lots = append(lots, lot{id, draw(id, seed)})
	}
	slices.SortFunc(lots, func(a, b lot) int {
		return cmp.Or(bytes.Compare(a.drawn[:], b.drawn[:]), a.id.Compare(b.id))
	})
	var out []iot.DeviceID
	for _, l := range lots[:max(0, min(n, len(lots)))] {
		out = append(out, l.id)
	}
	slices.SortFunc(out, iot.DeviceID.Compare)
	return out
}

func draw(id iot.DeviceID, seed uint64) [sha256.Size]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, seed), id.String()...))
}
