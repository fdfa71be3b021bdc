"""What flags that several commands have in common say in their help."""

PROD = "Production: HTTPS, workers, nothing but Nginx published; written to .env."
DEV = "Development, also where production runs; written to .env."
YES = "Answer every question with yes."
JSON = "Print JSON for machines."
DATABASE = "Another database than the platform's own."
