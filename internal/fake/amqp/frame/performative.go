package frame

// A Body is what a frame is about: a performative of a connection, or a step of its login.
type Body interface {
	code() uint64
	fields(visitor)
}

// Option is a field that may be absent.
type Option[T any] struct {
	Value T
	Set   bool
}

// Some returns a field that is present.
func Some[T any](value T) Option[T] { return Option[T]{Value: value, Set: true} }

// The role of a link's end: what the one who says it does.
const (
	Sender   = false
	Receiver = true
)

// The settlement modes of a link. Mixed and First are what holds if nothing is said.
const (
	Unsettled uint8 = 0 // the sender's: all deliveries need to be settled
	Settled   uint8 = 1 // none does
	Mixed     uint8 = 2
	First     uint8 = 0 // the receiver's: it settles at once
	Second    uint8 = 1 // it settles when the sender has
)

// NoLimit is the value of a limit that is not set.
const NoLimit = 1<<32 - 1

// Open begins a connection.
type Open struct {
	ContainerID, Hostname string
	MaxFrameSize          uint32 // bytes that its sender takes; NoLimit if absent
	ChannelMax            uint16 // highest channel; 65535 if absent
	IdleTimeout           uint32 // in milliseconds; 0 means none
}

func (*Open) code() uint64 { return codeOpen }

func (o *Open) fields(v visitor) {
	v.text(&o.ContainerID, true)
	v.text(&o.Hostname, false)
	v.uint(&o.MaxFrameSize, NoLimit)
	v.ushort(&o.ChannelMax, 1<<16-1)
	v.uint(&o.IdleTimeout, 0)
}

// Begin begins a session on a channel.
type Begin struct {
	RemoteChannel                                  Option[uint16] // set in the answer
	NextOutgoingID, IncomingWindow, OutgoingWindow uint32
	HandleMax                                      uint32 // NoLimit if absent
}

func (*Begin) code() uint64 { return codeBegin }

func (b *Begin) fields(v visitor) {
	v.maybeShort(&b.RemoteChannel)
	v.need(&b.NextOutgoingID)
	v.need(&b.IncomingWindow)
	v.need(&b.OutgoingWindow)
	v.uint(&b.HandleMax, NoLimit)
}

// A Terminus is one end of a link's way: its source or its target. Of all its fields only the address counts here.
type Terminus struct {
	Address string
	Dynamic bool // the address is to be chosen by the other side

	kind uint64 // as the field says where it stands
}

func (t *Terminus) code() uint64 { return t.kind }

func (t *Terminus) fields(v visitor) {
	v.text(&t.Address, false)
	v.skip() // durable
	v.skip() // expiry-policy
	v.skip() // timeout
	v.flag(&t.Dynamic)
}

// Attach attaches a link to a session.
type Attach struct {
	Name                           string
	Handle                         uint32
	Role                           bool // Sender or Receiver
	SenderSettles, ReceiverSettles uint8
	Source, Target                 *Terminus
	InitialDeliveryCount           Option[uint32] // set by the sender
	MaxMessageSize                 uint64         // 0 means none
}

func (*Attach) code() uint64 { return codeAttach }

func (a *Attach) fields(v visitor) {
	v.text(&a.Name, true)
	v.need(&a.Handle)
	v.role(&a.Role)
	v.ubyte(&a.SenderSettles, Mixed)
	v.ubyte(&a.ReceiverSettles, First)
	v.terminus(&a.Source, codeSource)
	v.terminus(&a.Target, codeTarget)
	v.skip() // unsettled
	v.skip() // incomplete-unsettled
	v.maybe(&a.InitialDeliveryCount)
	v.ulong(&a.MaxMessageSize)
}

// Flow tells the state of a session and, if Handle is set, of a link.
type Flow struct {
	NextIncomingID                                 Option[uint32]
	IncomingWindow, NextOutgoingID, OutgoingWindow uint32
	Handle, DeliveryCount, LinkCredit, Available   Option[uint32]
	Drain, Echo                                    bool
}

func (*Flow) code() uint64 { return codeFlow }

func (f *Flow) fields(v visitor) {
	v.maybe(&f.NextIncomingID)
	v.need(&f.IncomingWindow)
	v.need(&f.NextOutgoingID)
	v.need(&f.OutgoingWindow)
	v.maybe(&f.Handle)
	v.maybe(&f.DeliveryCount)
	v.maybe(&f.LinkCredit)
	v.maybe(&f.Available)
	v.flag(&f.Drain)
	v.flag(&f.Echo)
}

// Transfer carries a message or, if More is set here or in the one before, a part of it.
type Transfer struct {
	Handle        uint32
	DeliveryID    Option[uint32]
	DeliveryTag   []byte
	MessageFormat Option[uint32]
	Settled, More bool
}

func (*Transfer) code() uint64 { return codeTransfer }

func (t *Transfer) fields(v visitor) {
	v.need(&t.Handle)
	v.maybe(&t.DeliveryID)
	v.binary(&t.DeliveryTag)
	v.maybe(&t.MessageFormat)
	v.flag(&t.Settled)
	v.flag(&t.More)
}

// A State is what became of a delivery.
type State uint8

// The states of a delivery. NoState is a disposition that says nothing, OtherState one that is not known here.
const (
	NoState  State = 0
	Received State = 0x23
	Accepted State = 0x24
	Rejected State = 0x25
	Released State = 0x26
	Modified State = 0x27

	OtherState State = 0xff
)

// Disposition tells what became of the deliveries from First to Last.
type Disposition struct {
	Role    bool // of who says it
	First   uint32
	Last    Option[uint32] // First if absent
	Settled bool
	State   State
}

func (*Disposition) code() uint64 { return codeDisposition }

func (d *Disposition) fields(v visitor) {
	v.role(&d.Role)
	v.need(&d.First)
	v.maybe(&d.Last)
	v.flag(&d.Settled)
	v.state(&d.State)
}

// Detach detaches a link, for good if Closed is set.
type Detach struct {
	Handle uint32
	Closed bool
	Error  *Error
}

func (*Detach) code() uint64 { return codeDetach }

func (d *Detach) fields(v visitor) {
	v.need(&d.Handle)
	v.flag(&d.Closed)
	v.failure(&d.Error)
}

// End ends a session.
type End struct{ Error *Error }

func (*End) code() uint64 { return codeEnd }

func (e *End) fields(v visitor) { v.failure(&e.Error) }

// Close ends a connection.
type Close struct{ Error *Error }

func (*Close) code() uint64 { return codeClose }

func (c *Close) fields(v visitor) { v.failure(&c.Error) }

// Mechanisms are the ways to log in that a server offers.
type Mechanisms struct{ Names []string }

func (*Mechanisms) code() uint64 { return codeMechanisms }

func (m *Mechanisms) fields(v visitor) { v.symbols(&m.Names) }

// Init is a client's choice among them, with what it has to say at first.
type Init struct {
	Mechanism string
	Response  []byte
	Hostname  string
}

func (*Init) code() uint64 { return codeInit }

func (i *Init) fields(v visitor) {
	v.symbol(&i.Mechanism)
	v.binary(&i.Response)
	v.text(&i.Hostname, false)
}

// The codes of an [Outcome].
const (
	LoginOK     uint8 = 0
	LoginDenied uint8 = 1 // wrong credentials
)

// Outcome ends a login.
type Outcome struct{ Code uint8 }

func (*Outcome) code() uint64 { return codeOutcome }

func (o *Outcome) fields(v visitor) { v.octet(&o.Code) }
