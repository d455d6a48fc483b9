package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Handler returns the service's pages.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /campaigns", answer(http.StatusCreated, s.postCampaign))
	mux.Handle("GET /campaigns", answer(http.StatusOK, s.getCampaigns))
	mux.Handle("GET /campaigns/{name}", answer(http.StatusOK, s.getCampaign))
	mux.Handle("GET /campaigns/{name}/plan", answer(http.StatusOK, s.getPlan))
	mux.Handle("GET /commands", answer(http.StatusOK, s.getCommands))
	mux.Handle("GET /continuity", answer(http.StatusOK, s.getContinuity))
	for _, kind := range []migrate.DecisionKind{
		migrate.Approve, migrate.Refuse, migrate.Pause, migrate.Resume, migrate.Abort, migrate.Rollback, migrate.Declare, migrate.CloseEarly,
	} {
		mux.Handle("POST /campaigns/{name}/"+string(kind), answer(http.StatusOK, s.postDecision(kind)))
	}
	mux.Handle("/", answer(http.StatusOK, func(r *http.Request) (any, error) {
		return nil, fmt.Errorf("%w: %s %s", errNoPage, r.Method, r.URL.Path)
	}))
	// A page that a person has open elsewhere must not decide for them.
	return http.NewCrossOriginProtection().Handler(mux)
}

func (s *Service) postCampaign(r *http.Request) (any, error) {
	var body struct {
		Name string `json:"name"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	c, err := s.Start(r.Context(), body.Name)
	if err != nil {
		return nil, err
	}
	return c.status(r.Context()), nil
}

func (s *Service) getCampaigns(*http.Request) (any, error) {
	return map[string][]string{"campaigns": s.Names()}, nil
}

func (s *Service) getCampaign(r *http.Request) (any, error) {
	c, err := s.Campaign(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return c.status(r.Context()), nil
}

func (s *Service) getPlan(r *http.Request) (any, error) {
	c, err := s.Campaign(r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	return c.plan, nil
}

func (s *Service) getCommands(*http.Request) (any, error) {
	if s.config.Commands == nil {
		return Figures{}, nil
	}
	return s.config.Commands.Figures(), nil
}

func (s *Service) getContinuity(*http.Request) (any, error) {
	if s.config.Messages == nil {
		return Continuity{}, nil
	}
	return s.config.Messages.Continuity(), nil
}

func (s *Service) postDecision(kind migrate.DecisionKind) page {
	return func(r *http.Request) (any, error) {
		var body struct {
			Lane  string    `json:"lane"`
			Stage string    `json:"stage"`
			Wave  int       `json:"wave"`
			Since time.Time `json:"since"`
			By    string    `json:"by"`
			Note  string    `json:"note"`
		}
		if err := read(r, &body); err != nil {
			return nil, err
		}
		c, err := s.Campaign(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		d := migrate.Decision{Kind: kind, Lane: body.Lane, Stage: body.Stage, Wave: body.Wave, Since: body.Since, By: body.By, Note: body.Note}
		if err := c.decide(r.Context(), d); err != nil {
			return nil, err
		}
		return c.status(r.Context()), nil
	}
}

// A page answers a request with a value that is written as JSON.
type page func(*http.Request) (any, error)

func answer(code int, p page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		value, err := p(r)
		status := code
		if err != nil {
			status, value = statusOf(err), map[string]string{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value) // who asked has gone, if this fails
	})
}

// read reads a request's body: one JSON object without unknown fields.
func read(r *http.Request, into any) error {
	in := json.NewDecoder(r.Body)
	in.DisallowUnknownFields()
	if err := in.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errBody, err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: there is more after its end", errBody)
	}
	return nil
}

var (
	errNoPage = errors.New("there is no such page")
	errBody   = errors.New("the body has to be one JSON object")
)

// statusOf tells whose fault an error is. What is left is a decision, or a campaign, that makes no sense now.
func statusOf(err error) int {
	is := func(kinds ...error) bool {
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				return true
			}
		}
		return false
	}
	switch {
	case is(errUnknown, errNoPage):
		return http.StatusNotFound
	case is(errBody, iot.Invalid):
		return http.StatusBadRequest
	case is(errClosed, context.Canceled, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	case is(migrate.ErrDamaged, migrate.ErrFenced, migrate.ErrMismatch, errStore):
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}
