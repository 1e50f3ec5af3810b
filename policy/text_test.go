package policy

import (
	"encoding"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// textForm is what every small type of a document has.
type textForm[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// readText reads text into a value that holds something already, which an error must leave alone.
func readText[T any, P textForm[T]](before T, text string) (T, error) {
	v := before
	err := P(&v).UnmarshalText([]byte(text))
	return v, err
}

func TestDurationText(t *testing.T) {
	const day = Duration(24 * time.Hour)
	for _, row := range []struct {
		text string
		want Duration
		back string // canonical; "" means text
	}{
		{"36h", Duration(36 * time.Hour), "1d12h"},
		{"7d", 7 * day, ""},
		{"1d12h", day + day/2, ""},
		{"90m", Duration(90 * time.Minute), "1h30m"},
		{"30s", Duration(30 * time.Second), ""},
		{"0s", 0, ""},
		{"0d0h", 0, "0s"},
		{"007d", 7 * day, "7d"},
		{"1d2h3m4s", day + Duration(2*time.Hour+3*time.Minute+4*time.Second), ""},
		{"0.25s", Duration(250 * time.Millisecond), ""},
		{"1m0.000000001s", Duration(time.Minute + 1), ""},
		{"1.500000000s", Duration(1500 * time.Millisecond), "1.5s"},
		{"106751d23h47m16.854775807s", math.MaxInt64, ""},
	} {
		got, err := readText(Duration(1), row.text)
		require.NoError(t, err, row.text)
		require.Equal(t, row.want, got, row.text)
		require.Equal(t, time.Duration(row.want), got.Std())
		if row.back == "" {
			row.back = row.text
		}
		require.Equal(t, row.back, got.String())
	}
	for text, why := range map[string]string{
		"":                           `want for example "36h" or "7d"`,
		"7":                          "a number needs a unit",
		"0":                          "a number needs a unit",
		"-7d":                        "it is negative",
		"+7d":                        "want numbers with units",
		"7w":                         `"w" is no unit`,
		"7ß":                         `"ß" is no unit`,
		"d":                          "want numbers with units",
		"7 d":                        `" " is no unit`,
		"12h1d":                      "units go from d to h, m and s",
		"1h1h":                       "each at most once",
		"1.5h":                       "only seconds may have a fraction",
		"1.s":                        "a fraction has one to nine digits",
		"1.0000000001s":              "a fraction has one to nine digits",
		"106752d":                    "it is too long",
		"106751d23h47m16.854775808s": "it is too long",
		"99999999999999999999d":      "it is too long",
		"9223372036854775807d":       "it is too long",
		"4611686018427387904d":       "it is too long",
	} {
		got, err := readText(Duration(1), text)
		require.ErrorContains(t, err, why, text)
		require.Equal(t, Duration(1), got, text)
	}
	require.Equal(t, "-1h", Duration(-time.Hour).String())
	require.Equal(t, "-106751d23h47m16.854775808s", Duration(math.MinInt64).String())
	_, err := Duration(-1).MarshalText()
	require.ErrorContains(t, err, "negative")
}

func TestShareText(t *testing.T) {
	for text, want := range map[string]Share{
		"0%": 0, "100%": 10000, "12.5%": 1250, "12.50%": 1250, "0.01%": 1, "100.00%": 10000, "007%": 700, "3.05%": 305,
	} {
		got, err := readText(Share(1), text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		again, err := readText(Share(1), got.String())
		require.NoError(t, err)
		require.Equal(t, want, again)
	}
	require.Equal(t, "12.5%", Share(1250).String())
	require.Equal(t, "3.05%", Share(305).String())
	require.Equal(t, "7%", Share(700).String())
	for text, why := range map[string]string{
		"":                      "want a number and a percent sign",
		"%":                     "want a number and a percent sign",
		"5":                     `a bare number says too little: write "5%"`,
		"0.5":                   `a bare number says too little: write "0.5%"`,
		"5 %":                   "want a number and a percent sign",
		".5%":                   "want a number and a percent sign",
		"5.%":                   "want a number and a percent sign",
		"1.2.3%":                "want a number and a percent sign",
		"five%":                 "want a number and a percent sign",
		"-5%":                   "it is negative",
		"1.234%":                "more than two decimals",
		"100.01%":               "it is more than 100%",
		"101%":                  "it is more than 100%",
		"99999999999999999999%": "it is more than 100%",
	} {
		got, err := readText(Share(1), text)
		require.ErrorContains(t, err, why, text)
		require.Equal(t, Share(1), got, text)
	}
	for _, s := range []Share{-1, 10001, math.MinInt} {
		_, err := s.MarshalText()
		require.ErrorContains(t, err, "is not between 0% and 100%")
	}
	require.Equal(t, "-0.01%", Share(-1).String())
}

func TestShareOfANumber(t *testing.T) {
	require.Equal(t, 12, Share(1250).Of(100))
	require.Equal(t, 0, Share(1250).Of(7))
	require.Equal(t, 7, whole.Of(7))
	require.Equal(t, 0, Share(0).Of(7))
	require.Equal(t, math.MaxInt, whole.Of(math.MaxInt), "no overflow on the way")
}

func TestDaysText(t *testing.T) {
	const mon, tue, wed, fri, sat, sun = time.Monday, time.Tuesday, time.Wednesday, time.Friday, time.Saturday, time.Sunday
	for _, row := range []struct {
		text string
		want Days
		back string
	}{
		{"sat,sun", DaysOf(sat, sun), ""},
		{"sun, sat", DaysOf(sat, sun), "sat,sun"},
		{"mon-fri", allDays &^ DaysOf(sat, sun), ""},
		{"fri-mon", DaysOf(fri, sat, sun, mon), "mon,fri-sun"},
		{"mon-wed,fri", DaysOf(mon, tue, wed, fri), ""},
		{"mon,tue", DaysOf(mon, tue), ""},
		{"mon-sun", allDays, ""},
		{"sun-sat", allDays, "mon-sun"},
		{"wed", DaysOf(wed), ""},
		{"", 0, ""},
	} {
		got, err := readText(DaysOf(wed), row.text)
		require.NoError(t, err, row.text)
		require.Equal(t, row.want, got, row.text)
		if row.back == "" {
			row.back = row.text
		}
		require.Equal(t, row.back, got.String())
	}
	for text, why := range map[string]string{
		"Sat":         `"Sat" is no day`,
		"saturday":    `"saturday" is no day`,
		"sat,":        `"" is no day`,
		"sat-":        `"" is no day`,
		"sat-sun-mon": `"sun-mon" is no day`,
		"mon-mon":     "begins and ends with one day",
		"mon-wed,tue": "names tue twice",
	} {
		got, err := readText(DaysOf(wed), text)
		require.ErrorContains(t, err, why, text)
		require.Equal(t, DaysOf(wed), got, text)
	}
	_, err := Days(0x80).MarshalText()
	require.ErrorContains(t, err, "days(0x80)")
	require.True(t, DaysOf(sat).Has(sat))
	require.False(t, DaysOf(sat).Has(sun))
}

func TestClockText(t *testing.T) {
	for text, want := range map[string]Clock{"00:00": 0, "09:05": 545, "22:00": 1320, "23:59": 1439, "24:00": 1440} {
		got, err := readText(Clock(1), text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "9:00", "0900", "09.00", "09:60", "24:01", "25:00", "-1:00", "09:00:00", "٠٩:٠٠", "ab:cd"} {
		got, err := readText(Clock(1), text)
		require.ErrorContains(t, err, "is no time of day", text)
		require.Equal(t, Clock(1), got)
	}
	for _, c := range []Clock{-1, 1441} {
		_, err := c.MarshalText()
		require.ErrorContains(t, err, "is not between 00:00 and 24:00")
	}
}

func TestEnumerationsHaveATextForm(t *testing.T) {
	type all struct {
		Verdict     Verdict
		Denominator Denominator
		OnTimeout   OnTimeout
		OnFail      OnFail
		RebootMode  RebootMode
		Ruling      Ruling
		Reason      ReasonCode
		Since       Since
	}
	want := all{RequireApproval, Settled, TimeoutFails, FailRollsBackAll, RebootAlways, Denied, ReasonHoldFixed, SinceApproved}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	require.Equal(t, `{"Verdict":"require-approval","Denominator":"settled","OnTimeout":"fail","OnFail":"rollout",`+
		`"RebootMode":"always","Ruling":"denied","Reason":"hold-fixed","Since":"approved"}`, string(text))
	var got all
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
	_, err = (ReasonHoldFixed + 1).MarshalText()
	require.ErrorContains(t, err, "reason 20 has no name")
}

// What one of the types reads it writes, and reads again as the same.
func FuzzText(f *testing.F) {
	for _, s := range []string{"1d12h", "106751d23h47m16.854775807s", "12.5%", "mon-wed,fri", "fri-mon", "24:00", "", "5", "-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		textRoundTrip[Duration](t, s)
		textRoundTrip[Share](t, s)
		textRoundTrip[Days](t, s)
		textRoundTrip[Clock](t, s)
	})
}

func textRoundTrip[T interface {
	comparable
	encoding.TextMarshaler
}, P textForm[T]](t *testing.T, s string) {
	t.Helper()
	var v, again T
	if P(&v).UnmarshalText([]byte(s)) != nil {
		require.Zero(t, v)
		return
	}
	text, err := v.MarshalText()
	require.NoError(t, err)
	require.NoError(t, P(&again).UnmarshalText(text))
	require.Equal(t, v, again)
}
