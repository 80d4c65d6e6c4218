// Go's pgx with the statement that saves what the library saves. Prints one line of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
)

const sessionExchanges = 10

type sample struct{ question, answer string }

func readSamples(path string) []sample {
	file, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	var samples []sample
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var transcript struct {
			Messages []struct{ Content string }
		}
		if err := json.Unmarshal(lines.Bytes(), &transcript); err != nil {
			log.Fatal(err)
		}
		samples = append(samples, sample{transcript.Messages[0].Content, transcript.Messages[1].Content})
	}
	return samples
}

// The statement with $1, $2 … and the names in that order.
func readStatement(path string) (string, []string) {
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	var names []string
	sql := regexp.MustCompile(`(?m)^--.*\n`).ReplaceAllString(string(text), "")
	sql = regexp.MustCompile(`(::?)([a-z_]+)`).ReplaceAllStringFunc(sql, func(found string) string {
		if found[1] == ':' {
			return found
		}
		for i, name := range names {
			if name == found[1:] {
				return fmt.Sprintf("$%d", i+1)
			}
		}
		names = append(names, found[1:])
		return fmt.Sprintf("$%d", len(names))
	})
	return sql, names
}

func uuidOf(group, caller, number int) string {
	return fmt.Sprintf("01890a5d-ac96-7%03x-8%03x-%012x", group, caller, number)
}

var digest = []byte{0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}

func valueOf(name string, caller, callers, number int, one sample) interface{} {
	// Ids grow with time over all callers, as those do that the library makes.
	ordinal := number*callers + caller
	input, output := len(one.question)/4+1, len(one.answer)/4+1
	switch name {
	case "session_id":
		return uuidOf(1, caller, number/sessionExchanges)
	case "user_id":
		return uuidOf(2, 0, caller)
	case "exchange_id":
		return uuidOf(3, 0, ordinal)
	case "question_id":
		return uuidOf(4, 0, 2*ordinal)
	case "answer_id":
		return uuidOf(4, 0, 2*ordinal+1)
	case "log_id":
		return uuidOf(6, 0, ordinal)
	case "question":
		return one.question
	case "answer":
		return one.answer
	case "input_tokens":
		return input
	case "output_tokens":
		return output
	case "cost_usd":
		return fmt.Sprintf("0.%07d", input*25+output*100)
	}
	return digest
}

func processorMicroseconds() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e3
}

func residentKiB() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	return string(regexp.MustCompile(`VmRSS:\s+(\d+)`).FindSubmatch(status)[1])
}

func main() {
	store := flag.String("store", "", "connection string")
	samplesPath := flag.String("samples", "", "file of transcripts")
	callers := flag.Int("callers", 1, "goroutines that save")
	seconds := flag.Float64("seconds", 5, "that count")
	warmup := flag.Float64("warmup", 1, "seconds before them")
	poolSize := flag.Int("pool", 10, "connections")
	flag.Parse()
	samples := readSamples(*samplesPath)
	sql, names := readStatement("../sql/exchange.sql")
	settings, err := pgxpool.ParseConfig(*store)
	if err != nil {
		log.Fatal(err)
	}
	settings.MaxConns = int32(*poolSize)
	pool, err := pgxpool.ConnectConfig(context.Background(), settings)
	if err != nil {
		log.Fatal(err)
	}
	before := processorMicroseconds()
	begin := time.Now().Add(time.Duration(*warmup * float64(time.Second)))
	end := begin.Add(time.Duration(*seconds * float64(time.Second)))
	var lock sync.Mutex
	var done sync.WaitGroup
	var latencies []time.Duration
	saved := 0
	for caller := 0; caller < *callers; caller++ {
		done.Add(1)
		go func(caller int) {
			defer done.Done()
			var own []time.Duration
			number := 0
			for ; time.Now().Before(end); number++ {
				values := make([]interface{}, len(names))
				for i, name := range names {
					values[i] = valueOf(name, caller, *callers, number, samples[(caller*7+number)%len(samples)])
				}
				began := time.Now()
				if _, err := pool.Exec(context.Background(), sql, values...); err != nil {
					log.Fatal(err)
				}
				ended := time.Now()
				if !ended.Before(begin) && ended.Before(end) {
					own = append(own, ended.Sub(began))
				}
			}
			lock.Lock()
			latencies = append(latencies, own...)
			saved += number
			lock.Unlock()
		}(caller)
	}
	done.Wait()
	cpu := processorMicroseconds() - before
	pool.Close()
	sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
	at := func(share float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[int(float64(len(latencies))*share)].Nanoseconds()) / 1e3
	}
	fmt.Printf(`{"callers": %d, "exchanges": %d, "seconds": %g, "per_second": %.1f, "p50_us": %.1f, `+
		`"p99_us": %.1f, "saved": %d, "failed": 0, "rss_kib": %s, "client_cpu_us": %.2f}`+"\n",
		*callers, len(latencies), *seconds, float64(len(latencies)) / *seconds, at(0.5), at(0.99), saved,
		residentKiB(), cpu/float64(saved))
}
