#!/usr/bin/env bash
# Compiles the Bicep to ARM JSON and puts it on the branch `arm`, with a page that has the "Deploy to Azure" button.
# The workflow runs it; REPOSITORY is owner/name.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

revision=$(git rev-parse HEAD)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in main customer; do
    az bicep build --file "infra/$name.bicep" --outfile "$folder/$name.json"
done

button() {
    local raw="https%3A%2F%2Fraw.githubusercontent.com%2F${REPOSITORY/\//%2F}%2Farm%2F$1.json"
    echo "[![Deploy to Azure](https://aka.ms/deploytoazurebutton)](https://portal.azure.com/#create/Microsoft.Template/uri/$raw)"
}
cat >"$folder/README.md" <<PAGE
# Halo AD Sync: deploy from the portal

Compiled from $revision. The app's code is published afterwards, as docs/deploy.md on the branch main says.

| what | |
|---|---|
| The app and all that it needs | $(button main) |
| The hybrid connection of a customer | $(button customer) |
PAGE

git -C "$folder" init --quiet --initial-branch=arm
git -C "$folder" add .
git -C "$folder" -c user.name=workflow -c user.email=workflow@users.noreply.github.com commit --quiet -m "Compile $revision"
git fetch --quiet "$folder" arm
git push --quiet --force origin FETCH_HEAD:refs/heads/arm
