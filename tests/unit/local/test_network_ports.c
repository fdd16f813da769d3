/* Which ports a definition maps, and where they are found. */
#include "local/network_ports.h"

#include "tests/unit/base/testing.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/host_socket.h"

static json_t *definition(const char *mappings)
{
	AUTO_FREE char *text = xstrfmt(
		"{\"containerDefinitions\":[{\"name\":\"a\",\"portMappings\":%s},{\"name\":\"b\"}]}",
		mappings);
	json_t *out;

	assert_ok(json_parse(&out, text, strlen(text), "test", err));
	return out;
}

static void test_reads(void **state)
{
	static const struct {
		const char *mappings, *ports, *error;
	} rows[] = {
		{"[]", "", NULL},
		{"[{\"containerPort\":80},{\"containerPort\":8080},{\"containerPort\":443},"
		 "{\"containerPort\":8080,\"hostPort\":8080,\"protocol\":\"tcp\"}]",
		 "8080 80 443 ", NULL},
		{"[{\"containerPort\":65535}]", "65535 ", NULL},
		{"[{\"containerPort\":65536}]", NULL, "container a: there is no port 65536"},
		{"[{\"name\":\"x\"}]", NULL, "container a: there is no port 0"},
		{"[{\"containerPort\":53,\"protocol\":\"udp\"}]", NULL,
		 "container a: the local target maps TCP ports, not 53/udp"},
		{"[{\"containerPortRange\":\"1-2\"}]", NULL,
		 "container a: the local target maps single ports, no range 1-2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_JSON *d = definition(rows[i].mappings);
		AUTO(network_ports) p = {0};
		AUTO(error) err = ERROR_INIT;
		char got[64] = "";

		if (rows[i].error) {
			assert_int_equal(network_ports_read(&p, d, &err), -1);
			assert_string_equal(err.message, rows[i].error);
			continue;
		}
		assert_int_equal(network_ports_read(&p, d, &err), 0);
		for (size_t k = 0; k < p.n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u ",
				 p.items[k].container_port);
		assert_string_equal(got, rows[i].ports);
	}
}

static void set_effective(uint32_t clear, uint32_t set)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &head, data), 0);
	data[0].effective = (data[0].effective & ~clear) | (set & data[0].permitted);
	assert_int_equal(syscall(SYS_capset, &head, data), 0);
}

/* 80 without the right to it is 8080, unless that is another port of the same task; 81 is found by the rule. */
static void test_moves(void **state)
{
	const uint32_t bind_low = 1u << CAP_NET_BIND_SERVICE;
	AUTO_JSON *d = definition(
		"[{\"containerPort\":80},{\"containerPort\":81},{\"containerPort\":8080}]");
	AUTO(network_ports) p = {0};
	AUTO_PTR(forward) f = NULL;
	AUTO_JSON *shown = NULL;

	(void)state;
	assert_ok(forward_open(&f, err));
	assert_ok(network_ports_read(&p, d, err));
	assert_null(network_ports_moved(&p));
	set_effective(bind_low, 0);
	assert_ok(network_ports_open(&p, f, "127.66.0.9", err));
	set_effective(0, bind_low);
	assert_int_equal(p.items[0].host_port, 8080);
	assert_int_equal(p.items[1].container_port, 80);
	assert_in_range(p.items[1].host_port, 1024, 65535);
	assert_int_not_equal(p.items[1].host_port, 8080);
	assert_int_equal(p.items[2].host_port, 8081);
	assert_ptr_equal(network_ports_moved(&p), &p.items[1]);
	shown = network_ports_to_json(&p);
	assert_int_equal(json_array_size(shown), 3);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shown, 2), "hostPort")),
			 8081);
	network_ports_close(&p, f);
	json_decref(shown);
	shown = network_ports_to_json(&p);
	assert_int_equal(json_array_size(shown), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_reads),
					   cmocka_unit_test(test_moves)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
