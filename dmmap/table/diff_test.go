package table

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	const two = "2 1 service-time 0 2 1 8:16 1 8:48 1 service-time 0 1 1 8:32 1"
	tests := []struct {
		name, want, have string
		diff             []Difference
	}{
		{"read back by the kernel", "1 queue_if_no_path 1 alua " + two, "1 queue_if_no_path 1 alua 2 1 service-time 0 2 2 8:16 1 1 8:48 1 1 service-time 0 1 2 8:32 1 1", nil},
		{"order of features", "5 pg_init_retries 50 queue_if_no_path pg_init_delay_msecs 100 0 " + two, "5 queue_if_no_path pg_init_retries 50 pg_init_delay_msecs 100 0 " + two, nil},
		{"retain is implied", "1 retain_attached_hw_handler 0 " + two, "0 0 " + two, nil},
		{"retain by somebody else", "0 0 " + two, "1 retain_attached_hw_handler 0 " + two, nil},
		{"queue_mode mq is the default", "2 queue_mode mq 0 " + two, "0 0 " + two, nil},
		{"handler's arguments are not printed", "0 2 rdac x " + two, "0 1 rdac " + two, nil},
		{"handler dropped for bio", "2 queue_mode bio 1 alua " + two, "2 queue_mode bio 0 " + two, nil},
		{"repeat count made 1", "0 0 1 1 round-robin 0 1 1 8:16 1000", "0 0 1 1 round-robin 0 1 1 8:16 1", nil},
		{"historical prints 0 and its defaults", "0 0 1 1 historical-service-time 0 1 1 8:16 1", "0 0 1 1 historical-service-time 2 512 0 1 1 8:16 0", nil},
		{"io-affinity prints a mask", "0 0 1 1 io-affinity 0 1 1 8:16 f", "0 0 1 1 io-affinity 0 1 1 8:16 00000000,0000000f", nil},
		{"order of paths", "0 0 1 1 round-robin 0 2 1 8:16 1 8:32 1", "0 0 1 1 round-robin 0 2 1 8:32 1 8:16 1", nil},
		{"no paths", "0 0 0 0", "0 0 0 0", nil},

		{"queue", "1 queue_if_no_path 0 " + two, "0 0 " + two, []Difference{{FieldQueue, "on", "off"}}},
		{"queue_mode", "0 0 " + two, "2 queue_mode bio 0 " + two, []Difference{{FieldQueueMode, "rq", "bio"}}},
		{"features", "2 pg_init_retries 5 0 " + two, "0 0 " + two, []Difference{{FieldFeatures, "pg_init_retries 5", ""}}},
		{"handler", "0 1 alua " + two, "0 0 " + two, []Difference{{FieldHandler, "alua", ""}}},
		{"selector", "0 0 " + two, "0 0 2 1 round-robin 0 2 1 8:16 1 8:48 1 round-robin 0 1 1 8:32 1", []Difference{{FieldSelector, "service-time", "round-robin"}}},
		{
			"selector's arguments", "0 0 1 1 historical-service-time 2 512 3 1 1 8:16 1", "0 0 1 1 historical-service-time 2 512 0 1 1 8:16 0",
			[]Difference{{FieldSelector, "historical-service-time 512 3", "historical-service-time 512 0"}},
		},
		{"repeat count of an old kernel", "0 0 1 1 round-robin 0 1 1 8:16 1", "0 0 1 1 round-robin 0 1 1 8:16 1000", []Difference{{FieldMinIO, "1", "1000"}}},
		{"weight", "0 0 1 1 service-time 0 1 1 8:16 1", "0 0 1 1 service-time 0 1 2 8:16 1 10", []Difference{{FieldPathArgs, "8:16 1", "8:16 10"}}},
		{"paths", "0 0 " + two, "0 0 1 1 service-time 0 2 2 8:16 1 1 8:48 1 1", []Difference{{FieldPaths, "8:16 8:32 8:48", "8:16 8:48"}}},
		{"groups", "0 0 " + two, "0 0 1 1 service-time 0 3 1 8:16 1 8:48 1 8:32 1", []Difference{{FieldGroups, "{8:16 8:48} {8:32}", "{8:16 8:32 8:48}"}}},
		{
			"order of groups, first as wanted", "0 0 " + two, "0 0 2 2 service-time 0 1 1 8:32 1 service-time 0 2 1 8:48 1 8:16 1",
			[]Difference{{FieldOrder, "{8:16 8:48} {8:32}", "{8:32} {8:16 8:48}"}},
		},
		{"first", "0 0 " + two, "0 0 2 2 service-time 0 2 1 8:16 1 8:48 1 service-time 0 1 1 8:32 1", []Difference{{FieldFirst, "{8:16 8:48}", "{8:32}"}}},
		{"from nothing", "0 0 " + two, "0 0 0 0", []Difference{{FieldPaths, "8:16 8:32 8:48", ""}}},
		{"to nothing", "0 0 0 0", "0 0 " + two, []Difference{{FieldPaths, "", "8:16 8:32 8:48"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want, err := Parse(tt.want)
			if err != nil {
				t.Fatal(err)
			}
			have, err := Parse(tt.have)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.diff, Diff(want, have)); d != "" {
				t.Errorf("(-want +have)\n%s", d)
			}
		})
	}
}
