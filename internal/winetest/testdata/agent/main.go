// Agent runs commands on the Windows of a test: each line that it reads is one, as an array of JSON, and each that it writes how that has
// ended. Wine hands on only the lowest 8 bits of an exit code, and takes its time to begin. Called certutil.exe it prints the SHA-256 of a file
// as that program does, which wine does not have.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if strings.HasPrefix(strings.ToLower(filepath.Base(os.Args[0])), "certutil") {
		hash()
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var argv []string
		err := json.Unmarshal(lines.Bytes(), &argv)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(run(argv))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

type end struct {
	Code           int32
	Stdout, Stderr string
}

func run(argv []string) end {
	var e end
	said, err := os.Create(os.Args[1]) // a pipe would be held open by what a command leaves running
	if err != nil {
		return end{Code: 127, Stderr: err.Error()}
	}
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdout = said
	err = c.Run()
	var code *exec.ExitError
	switch {
	case errors.As(err, &code):
		e.Code = int32(uint32(code.ExitCode()))
	case err != nil:
		e.Code, e.Stderr = 127, err.Error()
	}
	said.Close()
	text, _ := os.ReadFile(os.Args[1])
	e.Stdout = string(text)
	return e
}

func hash() {
	if len(os.Args) != 4 || os.Args[1] != "-hashfile" || os.Args[3] != "SHA256" {
		os.Exit(1)
	}
	text, err := os.ReadFile(os.Args[2])
	if err != nil {
		fmt.Printf("CertUtil: -hashfile command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\r\nCertUtil: %v\r\n", err)
		os.Exit(-2147024894)
	}
	fmt.Printf("SHA256 hash of %s:\r\n%x\r\nCertUtil: -hashfile command completed successfully.\r\n", os.Args[2], sha256.Sum256(text))
}
