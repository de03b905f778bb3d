// SPDX-License-Identifier: MIT
module.exports = { output: 'standalone', outputFileTracingRoot: __dirname,
                   turbopack: { root: __dirname } };
