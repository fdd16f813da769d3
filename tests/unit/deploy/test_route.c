#include "deploy/route.h"

#include "tests/unit/base/testing.h"

static json_t *parse(const char *text)
{
	json_t *j = NULL;

	assert_int_equal(json_parse(&j, text, strlen(text), "test", NULL), 0);
	return j;
}

/* As DescribeRouteTables answers, in JSON. */
static void test_kinds(void **state)
{
	static const struct {
		const char *route;
		enum route is;
	} rows[] = {
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"gatewayId\":\"igw-1\"}", ROUTE_PUBLIC},
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"natGatewayId\":\"nat-1\"}",
		 ROUTE_PRIVATE},
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"transitGatewayId\":\"tgw-1\"}",
		 ROUTE_PRIVATE},
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"gatewayId\":\"vgw-1\"}", ROUTE_PRIVATE},
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"networkInterfaceId\":\"eni-1\"}",
		 ROUTE_PRIVATE},
		{"{\"destinationCidrBlock\":\"0.0.0.0/0\",\"natGatewayId\":\"nat-1\","
		 "\"state\":\"blackhole\"}",
		 ROUTE_NONE},
		{"{\"destinationCidrBlock\":\"10.0.0.0/16\",\"gatewayId\":\"local\"}", ROUTE_NONE},
		{"{\"destinationCidrBlock\":\"10.9.0.0/16\",\"gatewayId\":\"igw-1\"}", ROUTE_NONE},
		{"{\"destinationIpv6CidrBlock\":\"::/0\",\"gatewayId\":\"igw-1\"}", ROUTE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = xstrfmt("{\"routeSet\":[%s]}", rows[i].route);
		AUTO_JSON *table = parse(text);

		assert_int_equal(route_of(table), rows[i].is);
	}
	assert_int_equal(route_of(NULL), ROUTE_NONE);
}

static void test_a_subnet_without_a_table_has_the_main_one(void **state)
{
	AUTO_JSON *tables = parse(
		"[{\"routeTableId\":\"rtb-main\",\"associationSet\":[{\"main\":\"true\"}]},"
		"{\"routeTableId\":\"rtb-own\",\"associationSet\":[{\"main\":\"false\","
		"\"subnetId\":\"subnet-1\"}]}]");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(route_table_of(tables, "subnet-1"),
							      "routeTableId")),
			    "rtb-own");
	assert_string_equal(json_string_value(json_object_get(route_table_of(tables, "subnet-2"),
							      "routeTableId")),
			    "rtb-main");
	assert_null(route_table_of(NULL, "subnet-1"));
}

static void test_a_gateway_endpoint_serves_its_tables(void **state)
{
	static const char *const needed[] = {"ecr.api", "s3", "logs", NULL};
	AUTO_JSON *table = parse("{\"routeTableId\":\"rtb-1\"}");
	AUTO_JSON *other = parse("{\"routeTableId\":\"rtb-2\"}");
	AUTO_JSON *endpoints = parse(
		"[{\"serviceName\":\"com.amazonaws.eu-west-1.ecr.api\",\"state\":\"available\","
		"\"vpcEndpointType\":\"Interface\"},"
		"{\"serviceName\":\"com.amazonaws.eu-west-1.s3\",\"state\":\"available\","
		"\"vpcEndpointType\":\"Gateway\",\"routeTableIdSet\":[\"rtb-1\"]},"
		"{\"serviceName\":\"com.amazonaws.eu-west-1.logs\",\"state\":\"pending\","
		"\"vpcEndpointType\":\"Interface\"}]");
	AUTO(strlist) one = STRLIST_INIT;
	AUTO(strlist) two = STRLIST_INIT;

	(void)state;
	route_missing_endpoints(endpoints, table, needed, &one);
	assert_int_equal(one.n, 1);
	assert_string_equal(one.items[0], "logs");
	route_missing_endpoints(endpoints, other, needed, &two);
	route_missing_endpoints(endpoints, other, needed, &two);
	assert_int_equal(two.n, 2);
	assert_string_equal(two.items[0], "s3");
	assert_string_equal(two.items[1], "logs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_a_subnet_without_a_table_has_the_main_one),
		cmocka_unit_test(test_a_gateway_endpoint_serves_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
