#include "local/network_address.h"

#include "tests/unit/base/testing.h"

static void test_slots(void **state)
{
	struct network_slot one = NETWORK_SLOT_INIT, two = NETWORK_SLOT_INIT,
			    again = NETWORK_SLOT_INIT;
	unsigned int before;

	(void)state;
	assert_ok(network_slot_claim(&one, -1, err));
	assert_ok(network_slot_claim(&two, (int)one.number, err));
	assert_int_not_equal(one.number, two.number);
	network_slot_release(&one);
	/* The lowest that is free. */
	assert_ok(network_slot_claim(&again, -1, err));
	assert_true(again.number <= one.number);
	/* Its own, if there are lower ones, too. */
	network_slot_release(&again);
	before = two.number;
	network_slot_release(&two);
	assert_ok(network_slot_claim(&two, (int)before, err));
	assert_int_equal(two.number, before);
	assert_ok(network_slot_claim(&again, 1 << 20, err));
	assert_int_not_equal(again.number, two.number);
	network_slot_release(&two);
	network_slot_release(&again);
	network_slot_release(&again);
}

static void test_addresses(void **state)
{
	const struct network_slot s = {.fd = -1, .number = 7}, other = {.fd = -1, .number = 70};
	char address[NETWORK_ADDRESS_SIZE];

	(void)state;
	network_address(address, NETWORK_TASKS, &s, 1);
	assert_string_equal(address, "127.64.7.1");
	assert_true(network_address_is_ours(address, NETWORK_TASKS, &s));
	assert_false(network_address_is_ours(address, NETWORK_SERVICES, &s));
	assert_false(network_address_is_ours(address, NETWORK_TASKS, &other));
	network_address(address, NETWORK_SERVICES, &other, NETWORK_NUMBERS);
	assert_string_equal(address, "127.65.70.254");
	assert_false(network_address_is_ours(address, NETWORK_SERVICES, &s));
	assert_false(network_address_is_ours("", NETWORK_SERVICES, &s));
	assert_true(network_address_is_task(0x7f400701));
	assert_false(network_address_is_task(0x7f410701));
	assert_false(network_address_is_task(0x7f000001));
	assert_false(network_address_is_task(0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_slots),
					   cmocka_unit_test(test_addresses)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
