// The order of search results: first the pages whose title has the word, and guides before the reference.
// Sphinx alone sorts by matches and then by title, so "normalize" gave "Configs" before "Normalize features".
var Scorer = {
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 0, 1: 0, 2: -5 }, // Sphinx has 15 and 5, which puts every class before every page
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,

  score: ([docname, title, anchor, description, score, filename, kind]) => {
    const folders = { "get-started": 2, "how-to": 2, concepts: 2, "coming-from": 1, gallery: 1, changelog: -10 };
    const query = (new URLSearchParams(window.location.search).get("q") || "").trim().toLowerCase();
    // Padding, pads and padded all match "pad". A section has its page before its title: "Page > Section".
    const stem = query.replace(/(ing|ed|es|s|e)$/, "");
    const isInTitle = stem.length > 2 && title.toLowerCase().split(/[^a-z0-9]+/).some((word) => word.startsWith(stem));
    const titleBonus = kind === "object" ? 5 : 12; // a guide with a section about the word is before a class
    return score + (folders[docname.split("/")[0]] || 0) + (isInTitle ? titleBonus : 0);
  },
};
