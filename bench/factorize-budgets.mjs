// Bar: whatever budget is asked for, no factorized model is slower than its original: 20 random budgets on each of 5 models.
//   npm run bench -- factorize-budgets [--count 20] [--budget SECONDS] [--seed 0] [--json FILE] [NAME...]
// As prune-budgets, which says how it is measured; after --macs, --params and --size a model may be slower, but the report has to say it.
process.argv.push('--verb', 'factorize');
await import('./prune-budgets.mjs');
