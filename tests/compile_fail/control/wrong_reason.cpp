// SPDX-License-Identifier: Apache-2.0
// Control: fails to compile, but not with the text that it names; the harness must refuse it.
// error: this text is in no compiler
int main() { return the_name_of_nothing; }
