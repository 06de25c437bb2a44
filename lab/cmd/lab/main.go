package main

import (
	"context"
	"fmt"
	"os"
	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"time"
)

func main() {
	img, err := image.Ensure(os.Stderr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	t := time.Now()
	g, err := guest.Start(context.Background(), guest.Config{Image: img, Boot: guest.Boot(os.Args[1]), Talk: os.Stderr})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	defer g.Close()
	fmt.Println(g.Booted, time.Since(t), g.Hello, g.Factor())
	for _, a := range os.Args[2:] {
		out, err := g.Run(60*time.Second, "sh", "-c", a)
		fmt.Println(out, err)
	}
}
