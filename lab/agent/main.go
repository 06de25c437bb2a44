// Agent is the lab's hand inside the guest: one static binary that is the
// initramfs's /init, then the reaper of orphans as PID 1 of a bare boot, and in
// both boots the server that does what the host asks over a virtio-serial port.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case os.Getpid() == 1 && len(os.Args) < 2:
		err = initramfs()
	case len(os.Args) == 2 && os.Args[1] == "reap":
		err = reap()
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "stamps":
		err = stamps(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: agent serve bare|systemd (as PID 1 without arguments: the lab's init)")
	}
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "lab agent:", err)
	if os.Getpid() == 1 {
		powerOff() // nobody is left to tell: the serial log has the line above
	}
	os.Exit(1)
}
