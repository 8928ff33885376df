"""What no program may decide by itself: looked at, said with what each way out would lose, and done once a person has
chosen. Pure: from what hosts say to findings, each with stages of a plan."""
