// SPDX-License-Identifier: Apache-2.0
// Control: a program that no compiler accepts, because of the line below.
// error: the_name_of_nothing
int main() { return the_name_of_nothing; }
