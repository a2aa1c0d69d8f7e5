# Lists the targets and the variables of a Makefile, from its comments.
/^[a-z-]+:.*## / {
	split($0, parts, "## ")
	sub(/:.*/, "", $1)
	targets = targets sprintf("  make %-11s %s\n", $1, parts[2])
}
/^# [^ ]/ { comment = substr($0, 3) }
/^[A-Z_]+ \?=/ {
	value = substr($0, index($0, "?=") + 3)
	variables = variables sprintf("  %-16s %-16s %s\n", $1, value, comment)
}
/^#   [A-Z]/ { variables = variables sprintf("  %-33s %s\n", substr($0, 5), comment) }
END { printf "Targets\n%s\nVariables and their defaults\n%s", targets, variables }
