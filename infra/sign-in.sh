#!/usr/bin/env bash
# Makes the app registration by which people and programs sign in, and tells azd of it. Run it once, after `azd up`
# and `az login`, as somebody who may register applications in Entra; run again, it brings what is there up to date.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

name="Halo AD Sync ($(azd env get-value AZURE_ENV_NAME))"
url=$(azd env get-value APP_URL)
principal=$(azd env get-value APP_PRINCIPAL_ID)
tenant=$(az account show --query tenantId --output tsv)

client=$(az ad app list --filter "displayName eq '$name'" --query '[0].appId' --output tsv)
if [[ -z $client ]]; then
    client=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId --output tsv)
fi
az ad app update --id "$client" \
    --app-roles @infra/app-roles.json \
    --identifier-uris "api://$client" \
    --enable-id-token-issuance true \
    --web-redirect-uris "$url/.auth/login/aad/callback"

# People call the API with a token that Azure CLI fetches for them, so it may ask for the one scope there is without
# a consent. Entra takes no permission of a scope that it learns of in the same request, hence two.
azure_cli=04b07795-8ddb-461a-bbee-02f9e1bf7b46
scope=$(<infra/app-scope.json)
scope_id=$(sed -n 's/^ *"id": "\(.*\)",$/\1/p' infra/app-scope.json)
set_api() {
    az rest --method patch --url "https://graph.microsoft.com/v1.0/applications(appId='$client')" --output none \
        --headers Content-Type=application/json \
        --body "{\"api\": {\"requestedAccessTokenVersion\": 2, \"oauth2PermissionScopes\": [$scope]$1}}"
}
set_api ""
set_api ", \"preAuthorizedApplications\": [{\"appId\": \"$azure_cli\", \"delegatedPermissionIds\": [\"$scope_id\"]}]"

# The app proves itself by its managed identity, so the registration needs no secret.
if [[ -z $(az ad app federated-credential list --id "$client" --query "[?subject=='$principal'].id" --output tsv) ]]; then
    az ad app federated-credential create --id "$client" --output none --parameters "{
        \"name\": \"function-app\",
        \"issuer\": \"https://login.microsoftonline.com/$tenant/v2.0\",
        \"subject\": \"$principal\",
        \"audiences\": [\"api://AzureADTokenExchange\"]
    }"
fi

# Nobody gets in without a role: assignment is required, and the roles are assigned by an administrator.
az ad sp show --id "$client" --output none 2>/dev/null || az ad sp create --id "$client" --output none
az ad sp update --id "$client" --set appRoleAssignmentRequired=true

azd env set AUTH_CLIENT_ID "$client"
echo "Registered as $client. Next: azd provision, then assign the roles (Entra, Enterprise applications, $name, Users and groups)."
