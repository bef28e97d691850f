int nxdt_test_nothing = 0;
