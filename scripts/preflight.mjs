console.log("preflight", process.version, process.env.npm_execpath)
