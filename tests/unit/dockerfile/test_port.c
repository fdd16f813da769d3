#include "dockerfile/port.h"

#include "testing.h"

static void specs(void **state)
{
	static const struct row rows[] = {
		{"80", "[80/tcp]"},
		{"80/udp", "[80/udp]"},
		{"80/SCTP", "[80/sctp]"},
		{"80/", "[80/tcp]"},
		{"0", "[0/tcp]"},
		{"65535", "[65535/tcp]"},
		{"080", "[80/tcp]"},
		{"3333-3334/tcp", "[3333/tcp][3334/tcp]"},
		{"5-5", "[5/tcp]"},
		/* Only the container's port counts. */
		{"8080:80", "[80/tcp]"},
		{"8080-8090:80", "[80/tcp]"},
		{"1-2:3-4/udp", "[3/udp][4/udp]"},
		{":80", "[80/tcp]"},
		{"0.0.0.0:1234-1235:3333-3334/tcp", "[3333/tcp][3334/tcp]"},
		{"127.0.0.1::80", "[80/tcp]"},
		{"[2001:4860:0:2001::68]::333", "[333/tcp]"},
		{"[::1]:80:80", "[80/tcp]"},
		{"2001:4860:0:2001::68::333", "[333/tcp]"},
		{"::1:80:80", "[80/tcp]"},
		{"::::80", "[80/tcp]"},
		{"", "!no port specified"},
		{"/tcp", "!no port specified"},
		{"80:", "!no port specified"},
		{"http", "!invalid containerPort: http"},
		{"65536", "!invalid containerPort: 65536"},
		{"99999999999999999999", "!invalid containerPort"},
		{"-1", "!invalid containerPort: -1"},
		{"+1", "!invalid containerPort: +1"},
		{"1-", "!invalid containerPort: 1-"},
		{"2-1", "!invalid containerPort: 2-1"},
		{"1-2-3", "!invalid containerPort"},
		{"80/ip", "!invalid proto: ip"},
		{"80/tcp/udp", "!invalid proto: tcp/udp"},
		{"x:80", "!invalid hostPort: x"},
		{"1-3:3-4", "!invalid ranges specified for container and host Ports: 3-4 and 1-3"},
		{"localhost:1234:1234/tcp", "!invalid IP address: localhost"},
		{"[::1:80:80", "!invalid IP address"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_PTR(port_map) map = port_map_new();
		AUTO(strlist) ports = STRLIST_INIT;
		AUTO(strbuf) out = STRBUF_INIT;
		AUTO(error) err = ERROR_INIT;
		int r = port_map_add(map, rows[i].text, &ports, &err);

		if (rows[i].expected[0] == '!') {
			if (r != -1 || !strstr(err.message, rows[i].expected + 1))
				fail_msg("%s: %s", rows[i].text, err.message);
			assert_int_equal(err.kind, ERROR_SYNTAX);
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", rows[i].text, err.message);
		describe_list(&out, &ports);
		assert_string_equal(out.buf, rows[i].expected);
	}
}

static void each_port_once(void **state)
{
	AUTO_PTR(port_map) map = port_map_new();
	AUTO(strlist) ports = STRLIST_INIT;

	(void)state;
	assert_int_equal(port_map_add(map, "8-9", &ports, NULL), 0);
	assert_int_equal(port_map_add(map, "7-17", &ports, NULL), 0);
	assert_int_equal(port_map_add(map, "0-20", &ports, NULL), 0);
	assert_int_equal(port_map_add(map, "8/udp", &ports, NULL), 0);
	assert_int_equal(port_map_add(map, "3", NULL, NULL), 0);
	assert_int_equal(ports.n, 22);
	strlist_sort(&ports);
	for (size_t i = 1; i < ports.n; i++)
		assert_string_not_equal(ports.items[i - 1], ports.items[i]);
	assert_int_equal(port_map_add(map, "0-65535", &ports, NULL), 0);
	assert_int_equal(ports.n, 65537);
}

static void work_is_bounded(void **state)
{
	AUTO_PTR(port_map) map = port_map_new();
	AUTO(strlist) ports = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;
	int i, r = 0;

	(void)state;
	for (i = 0; i < 100000 && r == 0; i++)
		r = port_map_add(map, "1", &ports, &err);
	assert_int_equal(i, 65537);
	assert_non_null(strstr(err.message, "more than 65536"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(specs),
		cmocka_unit_test(each_port_once),
		cmocka_unit_test(work_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
