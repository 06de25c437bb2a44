package server

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// Answers that wait for room are not in memory: users who read nothing cannot fill it,
// however many they are. The one that waits is made again when there is room.
func TestMpathdWaitsWithoutItsAnswer(t *testing.T) {
	const clients = 60
	m := newMpathd(nil)
	m.src = crowdSource{}
	user := &mpathdClient{cred: Cred{UID: 1000}}
	format := `show maps raw format "` + strings.Repeat("%w", 200) + `"`
	one, _, leave := m.reply(format, user, time.Minute)
	leave()
	size := len(one)
	if size < 2<<20 {
		t.Fatalf("an answer of %d bytes is too small for this test", size)
	}
	if err := m.room[0].Acquire(t.Context(), mpathdReplyRoom); err != nil { // all of it is taken
		t.Fatal(err)
	}
	var mu sync.Mutex
	made := map[int]int{} // by the length of the answer
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			text, _, leave := m.reply(format, user, time.Minute)
			leave()
			mu.Lock()
			defer mu.Unlock()
			made[len(text)]++
		})
	}
	var have runtime.MemStats
	end := time.Now().Add(time.Minute)
	for ; waiting() < clients && time.Now().Before(end); runtime.Gosched() {
	}
	if waiting() < clients {
		t.Fatalf("%d of %d wait for room", waiting(), clients)
	}
	runtime.GC()
	runtime.ReadMemStats(&have)
	if most := uint64(20 * size); have.HeapAlloc > most {
		t.Errorf("%d answers of %d bytes wait in %d bytes of memory, want at most %d", clients, size, have.HeapAlloc, most)
	}
	m.room[0].Release(mpathdReplyRoom)
	all.Wait()
	if made[size] != clients {
		t.Errorf("lengths of the answers and how many: %v, want %d of %d", made, clients, size)
	}
}

// waiting counts who waits for room.
func waiting() int {
	buf := make([]byte, 8<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "semaphore.(*Weighted).Acquire")
}
