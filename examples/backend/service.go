package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A Config is what a [Service] needs of the backend that it is part of.
type Config struct {
	// Store holds plans, so that they outlive the process.
	Store Store
	// Plan makes the plan of a new campaign.
	Plan func(context.Context) (*migrate.Plan, error)
	// Runner is what all campaigns have in common: everything but Campaign and Plan.
	Runner migrate.Config
	// Commands sends to the fleet's devices, and has to know where they are; may be nil. The service closes it.
	Commands *Commands
	// Messages hears the fleet's devices, and measures what the moves do to it; may be nil.
	Messages *Messages
	// Stream hands the messages of both instances to Messages until its context ends; may be nil.
	Stream func(context.Context)
	// Logger gets what goes wrong between requests; nil discards.
	Logger *slog.Logger
	// Close is called when the last campaign has stopped; may be nil.
	Close func() error
}

// A Service runs campaigns. It is safe for concurrent use. Make one with [NewService].
type Service struct {
	config Config
	stop   context.CancelFunc
	life   context.Context // of the campaigns: they outlive the requests that start them

	streaming sync.WaitGroup

	starting sync.Mutex // one campaign at a time is planned

	mu        sync.Mutex
	campaigns map[string]*campaign
}

// The reasons to refuse a request.
var (
	errUnknown = errors.New("there is no such campaign")
	errExists  = errors.New("there is a campaign of that name")
	errBusy    = errors.New("one campaign moves a fleet at a time")
	errClosed  = errors.New("the service is stopping")
)

// NewService returns a service that goes on with all campaigns of the store.
func NewService(c Config) (*Service, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{config: c, campaigns: map[string]*campaign{}}
	s.life, s.stop = context.WithCancel(context.Background())
	plans, err := c.Store.Plans()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for _, p := range plans {
		if _, err := s.launch(p.Campaign, p.Plan); err != nil {
			return nil, errors.Join(fmt.Errorf("resume campaign %s: %w", p.Campaign, err), s.Close())
		}
	}
	if c.Stream != nil {
		s.streaming.Go(func() { c.Stream(s.life) })
	}
	return s, nil
}

// Close stops all campaigns where they are. Another process may go on with them.
func (s *Service) Close() error {
	s.stop()
	for _, c := range s.all() {
		<-c.done
	}
	s.streaming.Wait()
	var err error
	if s.config.Commands != nil {
		err = s.config.Commands.Close()
	}
	if s.config.Close != nil {
		err = errors.Join(err, s.config.Close())
	}
	return err
}

// Start plans a new campaign and runs it.
func (s *Service) Start(ctx context.Context, name string) (*campaign, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.starting.Lock()
	defer s.starting.Unlock()
	if err := s.free(ctx, name); err != nil {
		return nil, err
	}
	plan, err := s.config.Plan(ctx)
	if err != nil {
		return nil, err
	}
	if blocked := plan.Blocked(); len(blocked) > 0 {
		return nil, &migrate.BlockedError{Issues: blocked}
	}
	// The plan is durable before anything happens by it: the journal is bound to it.
	if err := s.config.Store.Save(name, plan); err != nil {
		return nil, err
	}
	return s.launch(name, plan)
}

// free returns nil if a campaign of that name can start now.
func (s *Service) free(ctx context.Context, name string) error {
	all := s.all()
	if all[name] != nil {
		return fmt.Errorf("%w: %s", errExists, name)
	}
	for _, other := range slices.Sorted(maps.Keys(all)) {
		switch all[other].runner.Report(ctx).Outcome {
		case migrate.OutcomeProven, migrate.OutcomeUnproven:
		default:
			return fmt.Errorf("%w: %s has not ended", errBusy, other)
		}
	}
	return nil
}

// launch runs a campaign, from where its journal ends.
func (s *Service) launch(name string, plan *migrate.Plan) (*campaign, error) {
	config := s.config.Runner
	config.Campaign, config.Plan = name, plan
	if s.config.Commands != nil {
		if err := s.config.Commands.follow(s.life, &config); err != nil {
			return nil, err
		}
	}
	if s.config.Messages != nil {
		if err := s.config.Messages.gaps.follow(s.life, &config, s.config.Logger); err != nil {
			return nil, err
		}
	}
	runner, err := migrate.NewRunner(config)
	if err != nil {
		return nil, err
	}
	c := &campaign{plan: plan, runner: runner, log: s.config.Logger, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life.Err() != nil {
		return nil, errClosed
	}
	s.campaigns[name] = c
	go c.run(s.life)
	return c, nil
}

// Campaign returns a campaign that was started.
func (s *Service) Campaign(name string) (*campaign, error) {
	if c := s.all()[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("%w: %q", errUnknown, name)
}

// Names returns the names of all campaigns, sorted.
func (s *Service) Names() []string {
	return append([]string{}, slices.Sorted(maps.Keys(s.all()))...)
}

func (s *Service) all() map[string]*campaign {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.campaigns)
}

// checkName accepts what is a name in the journal, in a file system and in a URL.
func checkName(name string) error {
	const most = 64
	ok := name != "" && len(name) <= most
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		ok = ok && (letter || i > 0 && (r == '-' || r == '_'))
	}
	if !ok {
		return &iot.Error{Kind: iot.Invalid, Op: "start", Message: fmt.Sprintf(
			"name %q: 1 to %d of A-Z, a-z, 0-9, '-' and '_' are allowed, a letter or digit first", name, most)}
	}
	return nil
}
