package guest

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"pathkeeper/lab/image"
)

// Accel is how QEMU runs the guest's CPUs.
type Accel string

const (
	KVM Accel = "kvm"
	TCG Accel = "tcg"
)

func (a Accel) args() []string {
	if a == KVM {
		return []string{"-accel", "kvm"}
	}
	return []string{"-accel", "tcg,thread=multi,tb-size=256"}
}

// kvmAnswer is how long a guest under KVM may take to answer: where it works
// it takes two seconds, where /dev/kvm is there and hangs, for ever.
const kvmAnswer = 10 * time.Second

// PickAccel chooses KVM only where the kernel has kvm_intel or kvm_amd and one
// guest under it answers; else TCG. PATHKEEPER_LAB_ACCEL=kvm|tcg overrides. The
// choice and its reason is one line on talk.
func PickAccel(ctx context.Context, img image.Image, talk io.Writer) (Accel, error) {
	accel, why, err := pick(ctx, img)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(talk, "lab: accelerator %s (%s)\n", accel, why)
	return accel, nil
}

func pick(ctx context.Context, img image.Image) (Accel, string, error) {
	switch v := os.Getenv("PATHKEEPER_LAB_ACCEL"); v {
	case "":
	case string(KVM), string(TCG):
		return Accel(v), "PATHKEEPER_LAB_ACCEL says so", nil
	default:
		return "", "", fmt.Errorf("PATHKEEPER_LAB_ACCEL=%q: want kvm or tcg", v)
	}
	loaded := ""
	for _, m := range []string{"kvm_intel", "kvm_amd"} {
		if _, err := os.Stat("/sys/module/" + m); err == nil {
			loaded = m
		}
	}
	if loaded == "" {
		return TCG, "neither kvm_intel nor kvm_amd is loaded", nil
	}
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err != nil {
		return TCG, err.Error(), nil
	} else {
		f.Close()
	}
	g, err := start(ctx, Config{Image: img, Boot: Bare, Memory: 512, Limit: kvmAnswer}, KVM, 1)
	if err != nil {
		if ctx.Err() != nil {
			return "", "", ctx.Err()
		}
		return TCG, fmt.Sprintf("%s is loaded, but no guest answered under it in %s", loaded, kvmAnswer), nil
	}
	took := g.Booted
	g.Close()
	return KVM, fmt.Sprintf("%s is loaded and a guest answered in %s", loaded, took.Round(time.Second/10)), nil
}
