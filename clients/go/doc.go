// Package mxgateway is the Go client of an MXAccess gateway: AVEVA System Platform tags over gRPC.
//
// Connect makes a [Client]; Client.OpenSession starts a worker process of one's own, a [Session], whose methods are
// those of LMXProxyServer. Client.Subscribe watches tags over every interruption of the connection. ConnectGalaxy reads
// the deployed objects.
//
// Every call takes a context first and honours it. Cancelling a call ends the wait, and removes the command as far as
// it is still queued; a COM call that already runs is never aborted, so a write that was cancelled may still happen.
//
// Errors of the gateway and of MXAccess are *[Error]; errors.Is with [ErrSession] and the like asks for the kind. A
// caller's own cancellation is none of them: errors.Is(err, context.Canceled). What the library refuses before it sends
// anything is an *[ArgumentError].
package mxgateway
