package server

// Answer is what multipathd's sockets say to one command, without a socket: of a
// simulated host, or a test. What the command wants done behind its answer is done when
// this returns.
func Answer(src Source, who Cred, command string) string {
	m := newMpathd(nil)
	m.src = src
	text, then, leave := m.reply(command, &mpathdClient{cred: who}, m.limit())
	leave()
	if then != nil {
		then()
	}
	return text
}
