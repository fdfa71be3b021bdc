"""What flags that several commands have in common say in their help."""

PROD = "Use the production overlay, whatever PLATFORM_ENV in .env says."
YES = "Answer every question with yes."
JSON = "Print JSON for machines."
