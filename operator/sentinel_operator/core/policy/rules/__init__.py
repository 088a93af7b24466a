"""One rule type a module: a bound and the facts in, a finding out."""
