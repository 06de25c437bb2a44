// Lab runs scenarios on a real Debian kernel under QEMU.
//
//	lab run [-v] [-tell] [-tree DIR] [-fetch DIR] FILES...   run scenario files
//	lab check FILES...                          parse them only
//	lab verbs                                   print the table of verbs
//	lab image [--manifest] [clients]            build the guest's image, if it is not in the cache
//	lab deps [long]                             install what the lab needs on this host, or the long scenarios too
//	lab boot-test                               boot both kinds of guest and time them
//	lab shell [bare|systemd] [clients]          a root shell in a fresh guest
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pathkeeper/lab/guest"
	"pathkeeper/lab/image"
	"pathkeeper/lab/run"
	"pathkeeper/scenario"
)

const usage = `usage: lab run [-v] [-tell] [-tree DIR] [-fetch DIR] [-no-product] FILES...
       lab check FILES... | lab verbs | lab image [--manifest] [clients] | lab deps [long] | lab boot-test |
       lab shell [bare|systemd] [clients]`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	args := os.Args[2:]
	var err error
	switch os.Args[1] {
	case "run":
		err = runFiles(ctx, args)
	case "check":
		err = check(args)
	case "verbs":
		verbs()
	case "image":
		err = buildImage(args)
	case "deps":
		err = deps(args)
	case "boot-test":
		err = bootTest(ctx)
	case "shell":
		err = shell(ctx, args)
	default:
		err = fmt.Errorf("no command %q\n%s", os.Args[1], usage)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// deps installs what the host lacks.
func deps(args []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] != "long" {
		return fmt.Errorf("no such set of dependencies: %q\n%s", args, usage)
	}
	return image.InstallDeps(os.Stderr, len(args) == 1)
}

// checkout is the directory of the module, where the scenario files' from= look.
func checkout() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "pathkeeper").Output()
	if err != nil {
		return "", fmt.Errorf("find the checkout: go list -m pathkeeper: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func runFiles(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("lab run", flag.ExitOnError)
	verbose := flags.Bool("v", false, "print every verb as it runs")
	tell := flags.Bool("tell", false, "print what the scenarios say to their reader")
	tree := flags.String("tree", "", "directory whose content is put over the guest's root: the installed product (default: the binary alone, built from ./cmd/pathkeeper)")
	fetch := flags.String("fetch", "", "directory into which, after each scenario, the files come that the guest has in /run/lab/out")
	noProduct := flags.Bool("no-product", false, "do not build or inject the product")
	flags.Parse(args)
	if flags.NArg() == 0 {
		return errors.New("which scenario files?")
	}
	root, err := checkout()
	if err != nil {
		return err
	}
	if *tree == "" && !*noProduct {
		dir, err := productTree()
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*tree = dir
	}
	results, err := run.Files(ctx, flags.Args(), run.Options{
		Root: root, Failures: filepath.Join(root, "build", "lab-failures"), Out: os.Stdout, Verbose: *verbose, Tell: *tell, Tree: *tree, Fetch: *fetch,
	})
	if err != nil {
		return err
	}
	budget, err := run.ReadBudget(filepath.Join(root, "lab", "budget.txt"))
	if err != nil {
		return err
	}
	if !run.Summary(os.Stdout, results, budget) {
		return errors.New("scenarios failed")
	}
	return nil
}

// productTree makes a tree with the product's binary in it.
func productTree() (string, error) {
	bin, err := guest.BuildStatic("pathkeeper/cmd/pathkeeper")
	if err != nil {
		return "", fmt.Errorf("%w\n(lab run -no-product runs the scenarios that need no daemon)", err)
	}
	dir, err := os.MkdirTemp("", "pathkeeper-tree-")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "usr/sbin/pathkeeper")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	return dir, os.WriteFile(file, bin, 0o755)
}

func check(files []string) error {
	bad := false
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil {
			_, err = scenario.Parse(f, string(text))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			bad = true
		}
	}
	if bad {
		return errors.New("not every file is a scenario")
	}
	return nil
}

func verbs() {
	for _, v := range scenario.Verbs() {
		where := ""
		if v.Side != scenario.Both {
			where = " (" + v.Side.String() + ")"
		}
		fmt.Printf("%s %s%s\n    %s\n", v.Name, v.Usage, where, v.Help)
	}
}

func buildImage(args []string) error {
	if err := image.InstallDeps(os.Stderr, false); err != nil {
		return err
	}
	manifest := len(args) > 0 && args[0] == "--manifest"
	if manifest {
		args = args[1:]
	}
	img, err := image.Ensure(os.Stderr, image.Variant(strings.Join(args, " ")))
	if err != nil {
		return err
	}
	if manifest {
		text, err := os.ReadFile(img.Manifest)
		if err != nil {
			return err
		}
		fmt.Print(string(text))
		return nil
	}
	fmt.Println(img.Dir)
	return nil
}

func bootTest(ctx context.Context) error {
	if err := image.InstallDeps(os.Stderr, false); err != nil {
		return err
	}
	img, err := image.Ensure(os.Stderr, image.Plain)
	if err != nil {
		return err
	}
	for _, boot := range []guest.Boot{guest.Bare, guest.Systemd} {
		g, err := guest.Start(ctx, guest.Config{Image: img, Boot: boot, Talk: os.Stdout})
		if err != nil {
			return err
		}
		fmt.Printf("%-8s %.1fs to the agent's answer; kernel %s, up %.1fs; one program starts and ends in %.1f ms: deadlines x %.1f\n",
			boot, g.Booted.Seconds(), g.Hello.Kernel, g.Hello.Uptime, g.Hello.SpawnMS, g.Factor())
		began := time.Now()
		if _, err := g.Run(30*time.Second, "udevadm", "settle"); err != nil {
			g.Close()
			return err
		}
		fmt.Printf("%-8s udev settled in %.1fs\n", boot, time.Since(began).Seconds())
		g.Close()
	}
	return nil
}
