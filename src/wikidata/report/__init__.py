"""What a person, cron and a monitoring service hear of a push."""
